package metrics

import "time"

// maxBounds is how many bounds a histogram may have.
const maxBounds = 16

// Histogram counts times, by how long they were. Whoever adds to it has it alone; others get a copy, which is a plain one.
type Histogram struct {
	bounds []time.Duration // ascending, and never changed
	counts [maxBounds]uint64
	count  uint64
	sum    time.Duration
}

// NewHistogram makes an empty one with these bounds, 16 at most.
func NewHistogram(bounds ...time.Duration) Histogram {
	if len(bounds) > maxBounds {
		panic("a histogram with too many bounds")
	}
	return Histogram{bounds: bounds}
}

// Add takes in that something took so long, this many times.
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
