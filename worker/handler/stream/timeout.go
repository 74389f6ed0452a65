package stream

import (
	"fmt"
	"time"
)

// timeout limits how long the oldest request in flight may take. The program's lock guards it.
type timeout struct {
	timer   *time.Timer   // nil without a limit
	perItem time.Duration // limit from the first message on
	limit   time.Duration // current limit
	runs    bool
}

// timeoutError is the reason to end a program whose oldest request took longer than this.
type timeoutError time.Duration

// Error implements error.
func (e timeoutError) Error() string {
	return fmt.Sprintf("the program said nothing of its oldest item for %v", time.Duration(e))
}

// start starts the timer, with the longer limit for a program that is starting.
func (t *timeout) start(perItem, start time.Duration, expire func()) {
	if perItem > 0 {
		t.perItem, t.limit, t.runs = perItem, max(perItem, start), true
		t.timer = time.AfterFunc(t.limit, expire)
	}
}

func (t *timeout) running() bool { return t.timer == nil || t.runs }

// stop stops the timer until it is restarted: no request is in flight.
func (t *timeout) stop() {
	if t.runs = false; t.timer != nil {
		t.timer.Stop()
	}
}

// restartTimeout gives the oldest request in flight its whole time again: it has become the oldest, or the program has said that it is alive.
func (p *program) restartTimeout() {
	if t := &p.timeout; t.timer != nil && len(p.order) > 0 {
		t.limit, t.runs = t.perItem, true
		t.timer.Reset(t.limit)
	}
}

// tooLong ends a process whose oldest request has taken too long.
func (p *program) tooLong() {
	p.mu.Lock()
	limit := p.timeout.limit
	p.mu.Unlock()
	p.terminate(timeoutError(limit))
}
