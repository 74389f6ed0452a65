package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/message"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/text"
)

const (
	plenty = 64                     // requests in flight that keep a program busy during a pause
	pause  = 500 * time.Microsecond // before the next read from a busy program
)

// readMessages reads what the program writes to file descriptor 3. It ends the program if that breaks the contract, or if it closes the
// descriptor.
func (p *program) readMessages(descriptor io.Reader) {
	err := message.Read(&messageReader{program: p, descriptor: descriptor}, p.accept)
	switch {
	case process.IsHeld(err):
	case errors.Is(err, io.EOF):
		p.mu.Lock()
		p.mute = true // for the watch: a program that exits has closed it, too
		p.mu.Unlock()
	default:
		p.terminate(err)
	}
}

// messageReader is the descriptor, with what is due between two reads from it.
type messageReader struct {
	*program
	descriptor io.Reader
	short      bool // the last read has got all that there was
}

// Read implements io.Reader.
func (r *messageReader) Read(b []byte) (int, error) {
	p := r.program
	p.mu.Lock()
	p.measure()
	p.wakeWriter()
	busy := len(p.inFlight) >= plenty
	p.mu.Unlock()
	if busy && r.short {
		// No request waits for the next message, and waking up for each would cost more than the messages themselves.
		time.Sleep(pause)
	}
	n, err := r.descriptor.Read(b)
	r.short = n < len(b)
	return n, err
}

// accept handles a message.
func (p *program) accept(m message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastMessage = time.Now()
	if !p.said {
		p.said = true
		p.restartTimeout()
	}
	if m.ID == "" {
		p.restartTimeout()
		return nil
	}
	r, found := p.inFlight[m.ID]
	switch {
	case !found:
		return fmt.Errorf("%q is no item that this program has", text.Shorten(m.ID, 40))
	case !p.hasRead(r):
		return fmt.Errorf("the program has not read the request for item %s yet", text.Shorten(m.ID, 40))
	case m.Word == message.Alive:
		if r == p.order[0] {
			p.restartTimeout()
		}
		return nil
	}
	r.pushed = handler.AddPush(r.pushed, m.Push)
	if !m.Settles() {
		return nil
	}
	p.responses++
	p.handler.hasRead.Store(true)
	p.remove(r)
	p.settle(r, handler.NewAttempt(m, r.pushed, p.handler.ResultBytes))
	return nil
}

// hasRead reports whether the program has read a request.
func (p *program) hasRead(r *request) bool {
	if r.end > p.consumed {
		p.consumed = p.child.Stdin.Consumed()
	}
	return r.end <= p.consumed
}

// hint reports a program that writes to standard output what belongs on descriptor 3.
type hint struct{ *program }

// Write implements io.Writer.
func (h hint) Write(output []byte) (int, error) {
	p := h.program
	if bytes.HasPrefix(output, []byte("{")) && bytes.Contains(output, []byte(`"id"`)) {
		p.mu.Lock()
		warn := !p.said && !p.hinted
		p.hinted = p.hinted || warn
		p.mu.Unlock()
		if warn {
			p.handler.warn("the program writes to standard output what looks like messages, and nothing to file descriptor 3: only messages there count")
		}
	}
	return len(output), nil
}
