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

// conversation is a running process that takes items and answers them.
type conversation struct {
	stream *Stream
	cmd    *exec.Cmd
	input  io.WriteCloser
	tail   *tail
	print  io.Writer     // for what is no answer
	unsent chan struct{} // tells the writer of something in the outbox
	ended  chan struct{} // closed when the process has ended and all it said was heard

	// A line of its output that has not ended yet. Only one goroutine at a time reads and writes these.
	line  []byte // it may become an answer
	noise bool   // it cannot, and was passed on so far

	mu       sync.Mutex
	waiting  []flight          // for others to be answered
	open     map[string]flight // what the process has, or will find in its input, by the id in the line
	outbox   []flight          // those of them that are still to be written
	answered int
	last     time.Time // of the last answer
	silence  silence
	wordy    bool        // it was ended for a line that is too long
	kill     *time.Timer // after TERM
}

// converse starts a process.
func converse(s *Stream) (*conversation, error) {
	c := &conversation{stream: s, tail: &tail{}, open: map[string]flight{},
		unsent: make(chan struct{}, 1), ended: make(chan struct{})}
	stdout, stderr, flush := s.Output.writers(queue.Item{}, s.Args[0])
	c.print = io.MultiWriter(stdout, c.tail)
	c.cmd = exec.Command(s.Args[0], s.Args[1:]...)
	c.cmd.Env = Environment()
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.WaitDelay = pipesAfter
	c.cmd.Stderr = io.MultiWriter(stderr, c.tail)
	output, err := newPipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stdout = output.entrance
	if c.input, err = c.cmd.StdinPipe(); err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		output.close()
		return nil, err
	}
	_ = output.entrance.Close()
	heard := make(chan struct{})
	go func() {
		_, _ = io.Copy(hearing{c}, output)
		close(heard)
	}()
	c.mu.Lock()
	c.silence.begin(s.Timeout, s.StartTimeout, c.tooSilent)
	c.mu.Unlock()
	go c.write()
	go func() {
		patience := pipesAfter
		if errors.Is(c.cmd.Wait(), exec.ErrWaitDelay) {
			patience = 0 // it was spent on the standard error
		}
		select {
		case <-heard:
		case <-time.After(patience):
			output.halt()
			<-heard
		}
		output.close()
		flush()
		c.end()
	}()
	return c, nil
}

// over says that the process has ended.
func (c *conversation) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// tooSilent ends a process that has been silent for too long.
func (c *conversation) tooSilent() {
	c.mu.Lock()
	c.silence.broken = true
	c.mu.Unlock()
	c.terminate()
}

// tooWordy ends a process that answers with more than can be held. What else it says does not matter.
func (c *conversation) tooWordy() {
	c.line, c.noise = nil, true
	c.mu.Lock()
	c.wordy = true
	c.mu.Unlock()
	c.terminate()
}

// terminate ends the process.
func (c *conversation) terminate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kill == nil {
		c.kill = endGroup(c.cmd.Process.Pid)
	}
}

// end tells everyone who waits for an answer that the process has ended. If it had one item, that one is to blame.
func (c *conversation) end() {
	if len(c.line) > 0 {
		c.hear(c.line)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.ended)
	c.silence.pause()
	if c.kill != nil && c.kill.Stop() {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	}
	blame, orderly := c.blame()
	suspicious := len(c.open) > 1
	for _, f := range c.open {
		switch {
		case f.forgotten:
		case orderly:
			f.untouched = append(f.untouched, f.position)
		case suspicious:
			f.suspects = append(f.suspects, f.position)
		}
		c.settle(f, blame) // a suspect is to blame if it was alone after all
	}
	for _, f := range c.waiting {
		f.untouched = append(f.untouched, f.position)
		f.less()
	}
	c.open, c.waiting, c.outbox = nil, nil, nil
}

// blame is the outcome of an item that the process had when it ended, unless it ended in good order.
func (c *conversation) blame() (o Attempt, orderly bool) {
	code, reason := ending(c.cmd.ProcessState)
	o = Attempt{Outcome: queue.OutcomeFailed, ExitCode: code, Reason: "the program ended before its answer: " + reason}
	o.Output, o.Truncated = c.tail.lines()
	switch {
	case c.silence.broken:
		o.ExitCode, o.Reason = exitTimeout, fmt.Sprintf("the program was silent for %v", c.silence.limit)
	case c.wordy:
		o.Reason = fmt.Sprintf("the program was ended: an answer of it is longer than %d MiB", maxAnswer>>20)
	default:
		orderly = code == 0 && c.answered > 0
	}
	return o, orderly
}

// close lets the process end: it sees the end of its input. If that is not enough, it is killed.
func (c *conversation) close() {
	// Not by the writer: it may be stuck with a process that does not read.
	_ = c.input.Close()
	select {
	case <-c.ended:
		return
	case <-time.After(killAfter):
	}
	c.terminate()
	<-c.ended
}
