package source

import "crypto/sha256"

// Unique passes on each payload once. It remembers 16 bytes of a hash of each. That two of a billion payloads have the same is less
// probable than an error of the memory.
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
