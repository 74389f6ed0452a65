package stream

import (
	"bufio"
	"math"
	"slices"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
)

// writeSize is how many bytes are written at once: few, so that the program can begin with the first lines, and so that few items are
// stuck if it stops reading.
const writeSize = 4 << 10

// call is a call of Handle. It is guarded by the lock of the program that has its items.
type call struct {
	items  []queue.Item
	report func(position int, attempt handler.Attempt)

	open      int           // items that are waiting or in flight
	done      chan struct{} // closed when there are none
	abandoned bool          // nothing is reported any more

	again []int // positions of items for the next program: this one has ended, and no attempt has failed
}

// request is an item that is waiting or in flight.
type request struct {
	*call
	position int
	id       string    // in the line, once in flight
	sent     time.Time // when it was given to the writer
	end      int       // how many bytes the program has read when it has read the request
	pushed   []string  // payloads of new items, which count once the item is done
}

// close notes that the item is no longer waiting or in flight.
func (r *request) close() {
	if r.open--; r.open == 0 {
		close(r.done)
	}
}

// add adds the items at these positions to those that wait for the program.
func (p *program) add(c *call, positions []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.open, c.done, c.again = len(positions), make(chan struct{}), nil
	if p.hasEnded() {
		c.again = positions
		close(c.done)
		return
	}
	for _, i := range positions {
		p.waiting = append(p.waiting, &request{call: c, position: i})
	}
	p.wakeWriter()
}

// giveBack returns the items of a call that are still waiting.
func (p *program) giveBack(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = slices.DeleteFunc(p.waiting, func(r *request) bool {
		if r.call != c {
			return false
		}
		c.report(r.position, handler.Attempt{Outcome: queue.OutcomeReturned, Reason: "not started", Started: time.Now()})
		r.close()
		return true
	})
}

// abandon returns the items of a call that were not reported. Those in flight stay with the program, and its responses to them are
// dropped.
func (p *program) abandon(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.abandoned = true
	p.waiting = slices.DeleteFunc(p.waiting, func(r *request) bool {
		if r.call == c {
			c.report(r.position, interrupted())
		}
		return r.call == c
	})
	for _, r := range p.inFlight {
		if r.call == c {
			c.report(r.position, interrupted())
		}
	}
	for _, i := range c.again {
		c.report(i, interrupted())
	}
}

// wakeWriter wakes the writer if there are requests that it may be able to write.
func (p *program) wakeWriter() {
	if len(p.waiting) > 0 {
		select {
		case p.ready <- struct{}{}:
		default:
		}
	}
}

// write writes requests until the program has ended. It has a goroutine of its own because the program may not read while it writes
// messages.
func (p *program) write() {
	lines := bufio.NewWriterSize(p.child.Stdin, 4*writeSize)
	written := 0
	var next []*request
	for {
		select {
		case <-p.ready:
		case <-p.ended:
			return
		}
		for next = p.nextRequests(next[:0]); len(next) > 0; next = p.nextRequests(next[:0]) {
			for _, r := range next {
				written += writeLine(lines, r.id, r.items[r.position])
				p.mu.Lock()
				r.end = written - 1 // the newline may be left unread
				p.mu.Unlock()
			}
			if lines.Flush() != nil {
				return // the watch ends the program, if it has not ended
			}
		}
	}
}

// nextRequests appends the next requests to write, about writeSize bytes of them, and counts them as in flight.
func (p *program) nextRequests(requests []*request) []*request {
	p.mu.Lock()
	defer p.mu.Unlock()
	for size := 0; size < writeSize && len(p.waiting) > 0 && len(p.inFlight) < p.window(); {
		r := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.send(r)
		requests = append(requests, r)
		size += len(r.items[r.position].Payload) + len(`{"id":"","attempt":1,"item":""}`)
	}
	return requests
}

// send counts a request as in flight.
func (p *program) send(r *request) {
	now := time.Now()
	if len(p.inFlight) == 0 {
		p.busySince = now
	}
	r.id, r.sent, r.end = r.items[r.position].ID, now, math.MaxInt
	for _, taken := p.inFlight[r.id]; taken; _, taken = p.inFlight[r.id] { // by the same item in an abandoned call
		r.id += "+"
	}
	p.inFlight[r.id] = r
	if p.order = append(p.order, r); len(p.order) == 1 && p.said { // or else the start timeout runs
		p.restartTimeout()
	}
}

// remove notes that a request is no longer in flight.
func (p *program) remove(r *request) {
	delete(p.inFlight, r.id)
	i := slices.Index(p.order, r)
	p.order = slices.Delete(p.order, i, i+1)
	switch {
	case len(p.order) == 0:
		p.timeout.stop()
	case i == 0 || !p.timeout.running():
		p.restartTimeout()
	}
}

// settle reports the attempt of a request that was in flight.
func (p *program) settle(r *request, attempt handler.Attempt) {
	now := time.Now()
	attempt.Started = r.sent
	if attempt.Started.IsZero() {
		attempt.Started = now
	}
	if p.handler.InFlight <= 1 && p.lastResponse.After(r.sent) {
		attempt.Started = p.lastResponse // the program began with it only then
	}
	attempt.Duration = now.Sub(attempt.Started)
	p.lastResponse = now
	if !r.abandoned {
		if attempt.Outcome != queue.OutcomeDone && attempt.Output == "" {
			attempt.Output, attempt.Truncated = p.tail.Lines()
		}
		r.report(r.position, attempt)
	}
	r.close()
}
