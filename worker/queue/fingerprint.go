package queue

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
)

// fingerprintBytes is how much of a SHA-1 is kept. Among a billion payloads, the chance that any two share a fingerprint is one in two
// million.
const fingerprintBytes = 10

// fingerprint returns what stands for a payload in a set, as keys.lua makes it.
func fingerprint(payload string) string {
	sum := sha1.Sum([]byte(payload))
	return hex.EncodeToString(sum[:fingerprintBytes])
}

// fingerprints returns those of some payloads, one after another.
func fingerprints(payloads []string) string {
	var all strings.Builder
	for _, payload := range payloads {
		all.WriteString(fingerprint(payload))
	}
	return all.String()
}
