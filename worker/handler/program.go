package handler

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// program is a running process that reads requests and writes responses.
type program struct {
	stream *Stream
	cmd    *exec.Cmd
	input  io.WriteCloser
	tail   *tail
	print  io.Writer     // for output that is not a response
	ready  chan struct{} // wakes the writer: there may be requests to write
	ended  chan struct{} // closed when the process has ended and all of its output has been read

	// The start of a line that has not ended yet. Only one goroutine at a time uses these.
	line  []byte // that may become a response
	noise bool   // it is not a response, and was passed on so far

	mu       sync.Mutex         // guards what follows
	waiting  []request          // not sent yet
	inFlight map[string]request // by the id in the line
	singly   int                // first requests that are sent one at a time, because one of so many ended the previous process
	causes   int                // requests in flight of which one may have ended this process

	responses    int
	lastResponse time.Time
	measured     int           // responses in the pace
	busySince    time.Time     // the last measurement, or the start of the first request in flight after it
	pace         time.Duration // moving average of the time per response, 0 before it was measured

	idle    idleTimeout
	tooLong bool        // it was ended because of a response that is too long
	kill    *time.Timer // after TERM
}

// startProgram starts a process.
func startProgram(s *Stream) (*program, error) {
	p := &program{stream: s, tail: &tail{}, inFlight: map[string]request{},
		ready: make(chan struct{}, 1), ended: make(chan struct{})}
	stdout, stderr, flush := s.Output.writers(queue.Item{}, s.Args[0])
	p.print = io.MultiWriter(stdout, p.tail)
	p.cmd = exec.Command(s.Args[0], s.Args[1:]...)
	p.cmd.Env = Environment()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = pipesAfter
	p.cmd.Stderr = io.MultiWriter(stderr, p.tail)
	output, err := newPipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout = output.writeEnd
	if p.input, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		output.close()
		return nil, err
	}
	_ = output.writeEnd.Close()
	allRead := make(chan struct{})
	go func() {
		_, _ = io.Copy(responseReader{p}, output)
		close(allRead)
	}()
	p.mu.Lock()
	p.idle.start(s.Timeout, s.StartTimeout, p.idleTooLong)
	p.mu.Unlock()
	go p.write()
	go func() {
		wait := pipesAfter
		if errors.Is(p.cmd.Wait(), exec.ErrWaitDelay) {
			wait = 0 // it has already waited for the end of standard error
		}
		select {
		case <-allRead:
		case <-time.After(wait):
			output.stopReading()
			<-allRead
		}
		output.close()
		flush()
		p.end()
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

// idleTooLong ends a process that has written nothing for too long.
func (p *program) idleTooLong() {
	p.mu.Lock()
	p.idle.expired = true
	p.mu.Unlock()
	p.terminate()
}

// responseTooLong ends a process whose response is longer than maxResponse. The rest of its output is not read as responses.
func (p *program) responseTooLong() {
	p.line, p.noise = nil, true
	p.mu.Lock()
	p.tooLong = true
	p.mu.Unlock()
	p.terminate()
}

// terminate ends the process.
func (p *program) terminate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kill == nil {
		p.kill = endGroup(p.cmd.Process.Pid)
	}
}

// end settles what is waiting and in flight after the process has ended. If it crashed, a single request in flight was the cause;
// any of several may have been.
func (p *program) end() {
	if len(p.line) > 0 {
		p.read(p.line)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(p.ended)
	p.idle.pause()
	if p.kill != nil && p.kill.Stop() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	failed, orderly := p.failure()
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

// failure returns the attempt of an item that was in flight when the process ended, and whether the process has ended in
// good order, so that no attempt has failed.
func (p *program) failure() (attempt Attempt, orderly bool) {
	code, reason := ending(p.cmd.ProcessState)
	attempt = Attempt{Outcome: queue.OutcomeFailed, ExitCode: code, Reason: "the program ended before its response: " + reason}
	attempt.Output, attempt.Truncated = p.tail.lines()
	switch {
	case p.idle.expired:
		attempt.ExitCode, attempt.Reason = exitTimeout, fmt.Sprintf("the program wrote nothing for %v", p.idle.limit)
	case p.tooLong:
		attempt.Reason = fmt.Sprintf("the program was ended: its response is longer than %d MiB", maxResponse>>20)
	default:
		orderly = code == 0 && p.responses > 0
	}
	return attempt, orderly
}

// close ends the process by the end of its input, or else by signals.
func (p *program) close() {
	// The writer cannot do this: it may be blocked by a process that does not read.
	_ = p.input.Close()
	select {
	case <-p.ended:
		return
	case <-time.After(killAfter):
	}
	p.terminate()
	<-p.ended
}
