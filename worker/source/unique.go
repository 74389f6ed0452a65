package source

import "crypto/sha256"

// Unique passes on each payload once. It remembers 16 bytes of each, whatever its length; that two of a billion
// payloads are alike in these is less probable than an error of the memory.
func Unique(each func(payload string) error) func(payload string) error {
	seen := map[[16]byte]struct{}{}
	return func(payload string) error {
		sum := sha256.Sum256([]byte(payload))
		key := [16]byte(sum[:16])
		if _, again := seen[key]; again {
			return nil
		}
		seen[key] = struct{}{}
		return each(payload)
	}
}
