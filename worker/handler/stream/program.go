package stream

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
)

// endOfInput is how long a program has to end after the end of its input, before TERM.
const endOfInput = 2 * time.Second

// program is a running process that reads requests and writes messages.
type program struct {
	handler *Handler
	child   *process.Child
	tail    *process.Tail
	ready   chan struct{} // wakes the writer: there may be requests to write
	ended   chan struct{} // closed when the process has ended and all of its messages have been read

	mu       sync.Mutex          // guards what follows
	waiting  []*request          // not sent yet
	inFlight map[string]*request // by the ID in the line
	order    []*request          // those in flight, in the order in which they were sent
	singly   int                 // first requests that are sent one at a time, because one of so many ended the previous process
	causes   int                 // requests in flight of which one may have ended this process

	said         bool      // there was a message
	mute         bool      // it has closed file descriptor 3
	hinted       bool      // a warning about standard output was logged
	lastMessage  time.Time // or the start
	consumed     int       // bytes of requests that it is known to have read
	responses    int       // messages that settled an item
	lastResponse time.Time
	measured     int           // responses in the pace
	busySince    time.Time     // the last measurement, or the start of the first request in flight after it
	pace         time.Duration // moving average of the time per response, 0 before it was measured

	timeout timeout
	broken  error // why the worker has ended the process, nil if it has not
}

// startProgram starts the process of a slot. Its first requests, so many of them, are sent one at a time.
func startProgram(h *Handler, slot, singly int) (*program, error) {
	p := &program{handler: h, tail: &process.Tail{}, inFlight: map[string]*request{}, singly: singly, lastMessage: time.Now(),
		ready: make(chan struct{}, 1), ended: make(chan struct{})}
	stdout, stderr, flush := h.Output.Writers(process.Origin{Label: h.Args[0]})
	p.mu.Lock() // a message may come at once
	defer p.mu.Unlock()
	command := process.Process{Args: h.Args, Path: h.Path, Env: []string{handler.SlotVariable(slot)}, KillAfter: h.KillAfter, Log: h.Log,
		Origin: process.Origin{Label: h.Args[0]},
		Stdout: io.MultiWriter(stdout, p.tail.Stream(), hint{p}), Stderr: io.MultiWriter(stderr, p.tail.Stream()), Messages: p.readMessages}
	child, err := command.Start()
	if err != nil {
		return nil, err
	}
	p.child = child
	p.timeout.start(h.Timeout, h.StartTimeout, p.tooLong)
	go p.write()
	go p.watch()
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

// terminate ends the process. The first reason counts.
func (p *program) terminate(reason error) {
	p.mu.Lock()
	if p.broken == nil {
		p.broken = reason
	}
	p.mu.Unlock()
	p.child.Terminate()
}

// end ends all requests after the process has ended. Only those that it has read are its fault: a single one was the cause; any of several
// may have been.
func (p *program) end(ending process.Ending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(p.ended)
	p.timeout.stop()
	failed, orderly := p.failure(ending)
	consumed := p.child.Stdin.Consumed()
	_ = p.child.Stdin.Close()
	var read []*request
	if !orderly {
		for _, r := range p.order {
			if r.end <= consumed {
				read = append(read, r)
			}
		}
	}
	if len(read) > 0 {
		p.handler.hasRead.Store(true)
	}
	if p.causes = len(read); p.causes == 1 {
		p.remove(read[0])
		p.settle(read[0], failed)
	}
	unread := append(p.order, p.waiting...)
	if !orderly && len(read) == 0 && p.responses == 0 && len(unread) > 0 {
		// The program has read nothing at all. If others have, it cannot start for now. A delay keeps it from being started again and again.
		if p.handler.hasRead.Load() {
			failed.Outcome = queue.OutcomeSnoozed
		} else {
			failed.Reason += "; no process of the command has read a request yet"
		}
		p.settle(unread[0], failed)
		unread = unread[1:]
	}
	for _, r := range unread {
		r.again = append(r.again, r.position)
		r.close()
	}
	p.inFlight, p.order, p.waiting = nil, nil, nil
}

// failure returns the attempt of an item that was in flight when the process ended, and whether the process has exited by itself after
// a response with code 0, so that no attempt has failed.
func (p *program) failure(ending process.Ending) (attempt handler.Attempt, orderly bool) {
	attempt = handler.Attempt{Outcome: queue.OutcomeFailed, ExitCode: ending.ExitCode,
		Reason: "the program ended before it said that the item is done: " + ending.Reason}
	attempt.Output, attempt.Truncated = p.tail.Lines()
	var late timeoutError
	switch {
	case errors.As(p.broken, &late):
		attempt.ExitCode, attempt.Reason = process.ExitTimeout, late.Error()
	case p.broken != nil:
		attempt.Reason = p.broken.Error()
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
