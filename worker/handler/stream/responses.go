package stream

import (
	"bytes"
	"fmt"
	"time"

	"github.com/workqueue/workqueue/worker/process"
)

const (
	maxResponse = 4 << 20                // longest line that is read as a response
	plenty      = 64                     // requests in flight that keep a program busy during a pause
	pause       = 500 * time.Microsecond // before the next read from a busy program
)

// responseReader reads the program's standard output.
type responseReader struct{ *program }

// Write implements io.Writer.
func (r responseReader) Write(output []byte) (int, error) {
	p := r.program
	for rest := output; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		switch {
		case p.noise, len(p.line) == 0 && (len(line) == 0 || line[0] != '{'):
			_, _ = p.print.Write(rest[:len(rest)-len(after)])
			p.noise = !ended
		case ended && len(p.line) == 0:
			p.read(line)
		case len(p.line)+len(line) > maxResponse:
			p.responseTooLong()
			return len(output), nil
		default:
			if p.line = append(p.line, line...); ended {
				p.read(p.line)
				p.line = nil
			}
		}
		rest = after
	}
	p.mu.Lock()
	p.measure()
	p.wakeWriter()
	busy := len(p.inFlight) >= plenty
	p.mu.Unlock()
	if busy && len(output) < process.ReadSize {
		// Nobody waits for the next response, and waking up for each would cost more than the responses themselves.
		time.Sleep(pause)
	}
	return len(output), nil
}

// read handles a line that may be a response. Any other line is passed on as output.
func (p *program) read(line []byte) {
	response, ok := readResponse(line)
	if !ok {
		fmt.Fprintf(p.print, "%s\n", line)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if response.alive() {
		if len(p.inFlight) > 0 {
			p.idle.restart()
		}
		return
	}
	r, ok := p.inFlight[*response.ID]
	if !ok {
		fmt.Fprintf(p.print, "a response for an item that this program does not have: %s\n", line)
		return
	}
	delete(p.inFlight, r.id)
	p.responses++
	if len(p.inFlight) > 0 {
		p.idle.restart()
	} else {
		p.idle.pause()
	}
	p.settle(r, response.attempt(p.handler.ResultBytes))
}
