package stream

import (
	"time"

	"github.com/workqueue/workqueue/worker/pace"
)

const (
	ahead    = 2 * time.Millisecond // work that is sent ahead to a program that works on one item at a time: it cannot come back
	maxAhead = 400                  // requests that are sent ahead at most
)

// window returns how many requests may be in flight. A program that works on one item at a time is sent requests ahead, but only as many
// as it is likely to respond to soon: requests that were sent cannot be returned to the queue.
func (p *program) window() int {
	switch {
	case p.responses < p.singly:
		return 1
	case p.handler.InFlight > 1:
		return p.handler.InFlight
	case p.pace == 0:
		return 1
	}
	return min(max(int(ahead/p.pace), 1), maxAhead)
}

// measure updates the pace after responses were read.
func (p *program) measure() {
	n := p.responses - p.measured
	if n == 0 {
		return
	}
	now := time.Now()
	if p.measured > 0 { // the first response also took the program's start
		p.pace = pace.After(p.pace, n, now.Sub(p.busySince))
	}
	p.measured, p.busySince = p.responses, now
}
