// Package pace estimates how long an item takes from those that have ended.
package pace

import "time"

// After returns the estimate of the time per item after so many more items took so long in all; perItem is the estimate before, 0 for
// none. It follows items that become slow quickly, and items that become fast slowly: the next ones may be slow again.
func After(perItem time.Duration, items int, took time.Duration) time.Duration {
	sample := max(took/time.Duration(items), 1)
	memory := 16
	if sample > perItem {
		memory = 4
	}
	if perItem == 0 || items >= memory {
		return sample
	}
	return max(perItem+(sample-perItem)*time.Duration(items)/time.Duration(memory), 1)
}
