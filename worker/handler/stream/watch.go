package stream

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

const (
	watchInterval = time.Second
	silenceLimit  = time.Minute
)

// watch looks after a program from which nothing may come any more, until it has ended.
func (p *program) watch() {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	limit, warned := cmp.Or(p.handler.silence, silenceLimit), false
	var before error
	for {
		select {
		case <-ticker.C:
		case <-p.ended:
			return
		}
		// A program that exits closes what it has open, too. It has until the next look, and as long as it takes to end what it has left.
		closed := p.closed()
		if closed != nil && before != nil && !p.child.HasEnded() {
			p.terminate(closed)
		}
		before = closed
		p.mu.Lock()
		silent := len(p.order) > 0 && time.Since(later(p.lastMessage, p.order[0].sent)) > limit
		p.mu.Unlock()
		if silent && !warned {
			warned = true
			p.handler.warn(fmt.Sprintf("the program has said nothing on file descriptor 3 for %v, and has items: if it writes through a buffer, flush that after each message", limit))
		}
	}
}

// closed returns the reason to end a program that can get or say nothing more, nil for none.
func (p *program) closed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.mute:
		return errors.New("the program has closed file descriptor 3")
	case p.child.Stdin.Closed():
		return errors.New("the program has closed its standard input")
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
