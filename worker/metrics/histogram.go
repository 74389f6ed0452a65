package metrics

import "time"

// maxBounds is how many bounds a histogram may have.
const maxBounds = 16

// Histogram counts durations by their length. Only one goroutine may use it; copy it for others.
type Histogram struct {
	bounds []time.Duration // ascending, and never changed
	counts [maxBounds]uint64
	count  uint64
	sum    time.Duration
}

// NewHistogram returns an empty histogram with the given bounds, 16 at most.
func NewHistogram(bounds ...time.Duration) Histogram {
	if len(bounds) > maxBounds {
		panic("a histogram with too many bounds")
	}
	return Histogram{bounds: bounds}
}

// Add counts a duration, the given number of times.
func (h *Histogram) Add(took time.Duration, times int) {
	h.count += uint64(times)
	h.sum += took * time.Duration(times)
	for i, bound := range h.bounds {
		if took <= bound {
			h.counts[i] += uint64(times)
			return
		}
	}
}
