package handler

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

const (
	maxAnswer = 4 << 20                // the longest line that is taken for an answer
	readSize  = 32 << 10               // of answers that are read at once, by io.Copy
	writeSize = 4 << 10                // of lines that are written at once, so that the process can begin with the first
	plenty    = 64                     // unanswered items with which a process has enough to do for a while
	gathering = 500 * time.Microsecond // that while
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

// flight is an item on its way.
type flight struct {
	*errand
	position int
	id       string
	sent     time.Time
}

// errand is some items whose outcomes somebody waits for. Its conversation's lock guards it.
type errand struct {
	items     []queue.Item
	outcomes  []Outcome
	open      int           // items without an outcome
	done      chan struct{} // closed when there are none
	forgotten bool          // nobody waits any more, and outcomes are somebody else's

	untouched []int // positions of items that the process ended without, in good order
	suspects  []int // positions of items that the process had, with others, when it ended
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
	c.cmd.Stdout = hearing{c}
	c.cmd.Stderr = io.MultiWriter(stderr, c.tail)
	input, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.input = input
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.silence.begin(s.Timeout, s.StartTimeout, c.tooSilent)
	c.mu.Unlock()
	go c.write()
	go func() {
		_ = c.cmd.Wait()
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

// ask sends the items at these positions, and puts their outcomes in their places.
func (c *conversation) ask(items []queue.Item, positions []int, outcomes []Outcome) *errand {
	e := &errand{items: items, outcomes: outcomes, open: len(positions), done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over() {
		e.untouched = positions
		close(e.done)
		return e
	}
	if len(c.open) == 0 && c.answered > 0 { // or else it is being measured
		c.silence.anew()
	}
	for _, i := range positions {
		c.waiting = append(c.waiting, flight{errand: e, position: i})
	}
	c.fill()
	return e
}

// fill gives the process as many items as it may have.
func (c *conversation) fill() {
	now := time.Now()
	for len(c.waiting) > 0 && len(c.open) < c.stream.window() {
		f := c.waiting[0]
		c.waiting = c.waiting[1:]
		f.id, f.sent = f.items[f.position].ID, now
		for _, taken := c.open[f.id]; taken; _, taken = c.open[f.id] { // by an attempt of its own that nobody waits for
			f.id += "+"
		}
		c.open[f.id] = f
		c.outbox = append(c.outbox, f)
	}
	if len(c.outbox) > 0 {
		select {
		case c.unsent <- struct{}{}:
		default:
		}
	}
}

// write writes the lines. The process may be busy answering while its input is full, so nobody else may be the one who
// writes. An error needs no handling: the process has closed its input, and will be found to have ended.
func (c *conversation) write() {
	lines := bufio.NewWriterSize(c.input, writeSize)
	encoder := json.NewEncoder(lines)
	encoder.SetEscapeHTML(false)
	for {
		select {
		case <-c.unsent:
		case <-c.ended:
			return
		}
		for _, f := range c.outgoing() {
			if encoder.Encode(newQuestion(f.id, f.items[f.position])) != nil {
				return
			}
		}
		if lines.Flush() != nil {
			return
		}
	}
}

// outgoing empties the outbox.
func (c *conversation) outgoing() []flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	flights := c.outbox
	c.outbox = nil
	return flights
}

// forget says that nobody waits for an errand any more. The process does not know that and answers what it has all the same.
func (c *conversation) forget(e *errand) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.forgotten = true
	c.waiting = slices.DeleteFunc(c.waiting, func(f flight) bool { return f.errand == e })
}

// hearing takes in the process's standard output.
type hearing struct{ *conversation }

// Write implements io.Writer.
func (h hearing) Write(p []byte) (int, error) {
	c := h.conversation
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		switch {
		case c.noise, len(c.line) == 0 && (len(line) == 0 || line[0] != '{'):
			_, _ = c.print.Write(rest[:len(rest)-len(after)])
			c.noise = !ended
		case ended && len(c.line) == 0:
			c.hear(line)
		case len(c.line)+len(line) > maxAnswer:
			c.tooWordy()
			return len(p), nil
		default:
			if c.line = append(c.line, line...); ended {
				c.hear(c.line)
				c.line = nil
			}
		}
		rest = after
	}
	c.mu.Lock()
	c.fill()
	gather := len(c.open) >= plenty
	c.mu.Unlock()
	if gather && len(p) < readSize {
		// Nobody waits for the next answer, least of all the process: to be woken for each would cost more than the answers.
		time.Sleep(gathering)
	}
	return len(p), nil
}

// hear takes in a line. One that is no answer to anything is passed on as output.
func (c *conversation) hear(line []byte) {
	a, ok := readAnswer(line)
	if !ok {
		fmt.Fprintf(c.print, "%s\n", line)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.alive() {
		if len(c.open) > 0 {
			c.silence.anew()
		}
		return
	}
	f, known := c.open[*a.ID]
	if !known {
		fmt.Fprintf(c.print, "an answer to an item that this program does not have: %s\n", line)
		return
	}
	delete(c.open, f.id)
	c.answered++
	if len(c.open) > 0 || len(c.waiting) > 0 {
		c.silence.anew()
	} else {
		c.silence.pause()
	}
	c.settle(f, a.outcome(c.stream.ResultBytes))
}

// settle notes the outcome of an item that the process had.
func (c *conversation) settle(f flight, o Outcome) {
	now := time.Now()
	o.Started = f.sent
	if c.stream.InFlight <= 1 && c.last.After(f.sent) {
		o.Started = c.last // it took this item only then
	}
	o.Duration = now.Sub(o.Started)
	c.last = now
	if !f.forgotten {
		f.outcomes[f.position] = o
	}
	f.less()
}

// less notes that one item less is open.
func (e *errand) less() {
	if e.open--; e.open == 0 {
		close(e.done)
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
	code, reason := ending(c.cmd.ProcessState)
	blame := Outcome{Verdict: Failed, ExitCode: code, Reason: "the program ended before its answer: " + reason}
	switch {
	case c.silence.broken:
		blame.ExitCode, blame.Reason = exitTimeout, fmt.Sprintf("the program was silent for %v", c.silence.limit)
	case c.wordy:
		blame.Reason = fmt.Sprintf("the program was ended: an answer of it is longer than %d MiB", maxAnswer>>20)
	}
	blame.Output, blame.Truncated = c.tail.lines()
	orderly := code == 0 && c.answered > 0 && !c.silence.broken && !c.wordy
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
