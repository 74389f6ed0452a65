package dispatch

import "time"

const (
	batchTarget = time.Second // work that a worker may hold in advance
	maxBatch    = 2000        // items in one batch: a call then keeps Redis for less than a millisecond
	maxGrowth   = 16          // how much larger than the last batch the next may be, while little is known
)

// pace estimates how long an item takes in one slot, and from that how many to lease at a time. Prefetching must never
// cost the tail: no worker holds more than about a second's work that others could do.
type pace struct {
	perItem time.Duration // moving average, 0 before the first measurement
	last    int           // size of the last batch
}

// measured takes in that a handler ran some items in this time.
func (p *pace) measured(items int, took time.Duration) {
	sample := max(took/time.Duration(items), 1)
	if p.perItem == 0 {
		p.perItem = sample
	} else {
		p.perItem = (3*p.perItem + sample) / 4
	}
}

// slow says that leasing in advance gains nothing: the call to Redis is short against the item.
func (p *pace) slow() bool { return p.perItem == 0 || p.perItem > 100*time.Millisecond }

// want answers how many items to lease for this many slots, of which some are idle, where each should get fill at once.
func (p *pace) want(slots, idle, fill int) int {
	fill = max(fill, 1)
	n := idle * fill
	if p.perItem > 0 {
		n = max(n, int(time.Duration(slots)*batchTarget/p.perItem))
	}
	n = min(n, maxBatch, maxGrowth*max(p.last, slots*fill))
	p.last = n
	return n
}
