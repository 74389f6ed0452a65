package stream

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
)

// endOfInput is how long a program has to end after the end of its input, before TERM.
const endOfInput = 2 * time.Second

// program is a running process that reads requests and writes responses.
type program struct {
	handler *Handler
	child   *process.Child
	tail    *process.Tail
	print   io.Writer     // for output that is not a response
	ready   chan struct{} // wakes the writer: there may be requests to write
	ended   chan struct{} // closed when the process has ended and all of its output has been read

	// The start of a line that has not ended yet. Only one goroutine at a time uses these.
	line  []byte // may become a response
	noise bool   // it is not a response, and was passed on so far

	mu       sync.Mutex         // guards what follows
	waiting  []request          // not sent yet
	inFlight map[string]request // by the ID in the line
	singly   int                // first requests that are sent one at a time, because one of so many ended the previous process
	causes   int                // requests in flight of which one may have ended this process

	responses    int
	lastResponse time.Time
	measured     int           // responses in the pace
	busySince    time.Time     // the last measurement, or the start of the first request in flight after it
	pace         time.Duration // moving average of the time per response, 0 before it was measured

	idle    idleTimeout
	tooLong bool // it was ended because a response is too long
}

// startProgram starts the process of a slot. Its first requests, so many of them, are sent one at a time.
func startProgram(h *Handler, slot, singly int) (*program, error) {
	p := &program{handler: h, tail: &process.Tail{}, inFlight: map[string]request{}, singly: singly,
		ready: make(chan struct{}, 1), ended: make(chan struct{})}
	stdout, stderr, flush := h.Output.Writers(process.Origin{Label: h.Args[0]})
	p.print = io.MultiWriter(stdout, p.tail)
	p.mu.Lock() // a response may come at once
	defer p.mu.Unlock()
	command := process.Process{Args: h.Args, Path: h.Path, Env: []string{handler.SlotVariable(slot)}, KillAfter: h.KillAfter, Log: h.Log, Origin: process.Origin{Label: h.Args[0]}, Stdout: responseReader{p}, Stderr: io.MultiWriter(stderr, p.tail)}
	child, err := command.Start()
	if err != nil {
		return nil, err
	}
	p.child = child
	p.idle.start(h.Timeout, h.StartTimeout, p.idleTooLong)
	go p.write()
	go func() {
		ending := child.Wait()
		flush()
		p.end(ending)
	}()
	return p, nil
}

// hasEnded reports whether the process has ended.
func (p *program) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// idleTooLong ends a process that has written no response for too long.
func (p *program) idleTooLong() {
	p.mu.Lock()
	p.idle.expired = true
	p.mu.Unlock()
	p.child.Terminate()
}

// responseTooLong ends a process whose response is longer than maxResponse. The rest of its output is not read as responses.
func (p *program) responseTooLong() {
	p.line, p.noise = nil, true
	p.mu.Lock()
	p.tooLong = true
	p.mu.Unlock()
	p.child.Terminate()
}

// end ends all requests after the process has ended. If it crashed, a single request in flight was the cause; any of several may have
// been.
func (p *program) end(ending process.Ending) {
	if len(p.line) > 0 {
		p.read(p.line)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(p.ended)
	p.idle.pause()
	failed, orderly := p.failure(ending)
	if !orderly && len(p.inFlight) == 0 && len(p.waiting) > 0 {
		// The program has not waited for its next request. Without an attempt it would be started again for ever.
		p.send(&p.waiting[0])
		p.waiting = p.waiting[1:]
	}
	if !orderly {
		p.causes = len(p.inFlight)
	}
	for _, r := range p.inFlight {
		if p.causes == 1 {
			p.settle(r, failed)
			continue
		}
		r.again = append(r.again, r.position)
		r.end()
	}
	for _, r := range p.waiting {
		r.again = append(r.again, r.position)
		r.end()
	}
	p.inFlight, p.waiting = nil, nil
	p.idle.pause()
}

// failure returns the attempt of an item that was in flight when the process ended, and whether the process has exited by itself after
// a response with code 0, so that no attempt has failed.
func (p *program) failure(ending process.Ending) (attempt handler.Attempt, orderly bool) {
	attempt = handler.Attempt{Outcome: queue.OutcomeFailed, ExitCode: ending.ExitCode,
		Reason: "the program ended before its response: " + ending.Reason}
	attempt.Output, attempt.Truncated = p.tail.Lines()
	switch {
	case p.idle.expired:
		attempt.ExitCode, attempt.Reason = process.ExitTimeout, fmt.Sprintf("the program wrote nothing for %v", p.idle.limit)
	case p.tooLong:
		attempt.Reason = fmt.Sprintf("the program was ended: its response is longer than %d MiB", maxResponse>>20)
	default:
		orderly = ending.ExitCode == 0 && p.responses > 0
	}
	return attempt, orderly
}

// close ends the process by the end of its input, or else by signals.
func (p *program) close() {
	_ = p.child.Stdin.Close() // the writer may be blocked by a process that does not read
	select {
	case <-p.ended:
		return
	case <-time.After(endOfInput):
	}
	p.child.Terminate()
	<-p.ended
}
