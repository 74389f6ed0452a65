package handler

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/queue"
)

// Why a process owes an answer.
var (
	errUntouched = errors.New("the process ended in good order before it took the item")
	errSuspect   = errors.New("the process ended while it had several items")
)

// maxAnswer is the longest line that is taken for an answer.
const maxAnswer = 64 << 20

// conversation is a running process that takes items and answers them.
type conversation struct {
	stream *Stream
	cmd    *exec.Cmd
	input  io.WriteCloser
	writes sync.Mutex // lines go to the input whole
	tail   *tail
	ended  chan struct{} // closed when the process has ended and all it said was heard

	mu       sync.Mutex
	open     map[string]flight // what was sent and is not answered, by the id in the line
	answered int
	silent   bool          // it was ended for that
	silence  *time.Timer   // nil without a timeout
	patience time.Duration // until silence is over
	kill     *time.Timer   // after TERM

	line  []byte // of its output, not ended yet; only its own goroutine reads and writes it
	print io.Writer
}

// flight is an item on its way.
type flight struct {
	position int
	answers  chan<- reply // nil once nobody waits for it any more
}

// reply is what became of an item.
type reply struct {
	position int
	outcome  Outcome
	err      error
}

// question is a line to the process. The item comes last, where the simplest program can find it.
type question struct {
	ID       string `json:"id"`
	Attempt  int    `json:"attempt"`
	Encoding string `json:"encoding,omitempty"` // "base64" if the item is not UTF-8
	Item     string `json:"item"`
}

// answer is a line from the process.
type answer struct {
	ID       *string         `json:"id"`
	Status   string          `json:"status"` // done (or none), failed, permanent, later, alive
	Reason   string          `json:"reason"`
	Result   json.RawMessage `json:"result"` // a string, or any other JSON, which is kept as it is
	Encoding string          `json:"encoding"`
}

// converse starts a process.
func converse(s *Stream) (*conversation, error) {
	c := &conversation{stream: s, tail: &tail{}, ended: make(chan struct{}), open: map[string]flight{}}
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
	if s.Timeout > 0 {
		c.mu.Lock()
		c.patience = max(s.Timeout, s.StartTimeout)
		c.silence = time.AfterFunc(c.patience, c.tooSilent)
		c.mu.Unlock()
	}
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

// ask sends the items at these positions, and answers a channel with as many replies to come.
func (c *conversation) ask(items []queue.Item, positions []int) chan reply {
	answers := make(chan reply, len(positions))
	ids := make([]string, len(positions))
	c.mu.Lock()
	if c.over() {
		c.mu.Unlock()
		for _, i := range positions {
			answers <- reply{position: i, err: errUntouched}
		}
		return answers
	}
	if len(c.open) == 0 && c.answered > 0 { // or else it is being measured
		c.heard(true)
	}
	for n, i := range positions {
		id := items[i].ID
		for _, taken := c.open[id]; taken; _, taken = c.open[id] { // by an attempt of its own that nobody waits for
			id += "+"
		}
		ids[n] = id
		c.open[id] = flight{i, answers}
	}
	c.mu.Unlock()
	// The process may be busy answering while its input is full, so nobody who waits for answers may be the one who writes.
	go c.send(items, positions, ids)
	return answers
}

// send writes the lines. An error needs no handling: the process has closed its input, and will be found to have ended.
func (c *conversation) send(items []queue.Item, positions []int, ids []string) {
	c.writes.Lock()
	defer c.writes.Unlock()
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for n, i := range positions {
		q := question{ID: ids[n], Attempt: items[i].Attempts + 1, Item: items[i].Payload}
		if !utf8.ValidString(q.Item) {
			q.Item, q.Encoding = base64.StdEncoding.EncodeToString([]byte(q.Item)), "base64"
		}
		_ = encoder.Encode(q)
		if lines.Len() >= 64<<10 || n == len(positions)-1 {
			if _, err := c.input.Write(lines.Bytes()); err != nil {
				return
			}
			lines.Reset()
		}
	}
}

// forget says that nobody waits for these replies any more. The process does not know that and answers them all the same.
func (c *conversation) forget(answers chan<- reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, f := range c.open {
		if f.answers == answers {
			c.open[id] = flight{position: f.position}
		}
	}
}

// hearing takes in the process's standard output.
type hearing struct{ *conversation }

// Write implements io.Writer.
func (h hearing) Write(p []byte) (int, error) {
	c, size := h.conversation, len(p)
	for {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		if !ended {
			if len(c.line)+len(p) > maxAnswer {
				return 0, fmt.Errorf("a line of output is longer than %d bytes", maxAnswer)
			}
			c.line = append(c.line, p...)
			return size, nil
		}
		if len(c.line) > 0 {
			c.line = append(c.line, line...)
			c.hear(c.line)
			c.line = nil
		} else {
			c.hear(line)
		}
		p = rest
	}
}

// hear takes in a line. One that is no answer to anything is passed on as output: libraries print things.
func (c *conversation) hear(line []byte) {
	var a answer
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &a) != nil || (a.ID == nil && a.Status != "alive") {
		fmt.Fprintf(c.print, "%s\n", line)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Status == "alive" {
		c.heard(true)
		return
	}
	f, known := c.open[*a.ID]
	if !known {
		fmt.Fprintf(c.print, "an answer to an item that this program does not have: %s\n", line)
		return
	}
	delete(c.open, *a.ID)
	c.answered++
	c.heard(len(c.open) > 0)
	if f.answers != nil {
		f.answers <- reply{position: f.position, outcome: c.outcome(a)}
	}
}

// heard starts the measuring of silence anew, or ends it until there is something to answer.
func (c *conversation) heard(waiting bool) {
	switch {
	case c.silence == nil:
	case waiting:
		c.patience = c.stream.Timeout
		c.silence.Reset(c.patience)
	case c.answered > 0:
		c.silence.Stop()
	}
}

// outcome is what an answer says.
func (c *conversation) outcome(a answer) Outcome {
	switch a.Status {
	case "", "done":
		if a.Result == nil {
			return Outcome{Verdict: Done}
		}
		text, err := result(a)
		if err != nil {
			return Outcome{Verdict: Failed, Reason: err.Error()}
		}
		kept := min(len(text), c.stream.ResultBytes)
		return Outcome{Verdict: Done, Result: true, Output: text[:kept], Truncated: kept < len(text)}
	case "failed":
		return Outcome{Verdict: Failed, Reason: a.Reason}
	case "permanent":
		return Outcome{Verdict: Permanent, Reason: a.Reason}
	case "later":
		return Outcome{Verdict: Temporary, Reason: a.Reason}
	}
	return Outcome{Verdict: Failed, Reason: fmt.Sprintf("the program answers with the status %q: it must be done, failed, "+
		"permanent, later or alive", a.Status)}
}

func result(a answer) (string, error) {
	var text string
	if json.Unmarshal(a.Result, &text) != nil {
		return string(a.Result), nil
	}
	if a.Encoding != "base64" {
		return text, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("the program's result is not base64: %w", err)
	}
	return string(raw), nil
}

// tooSilent ends the process.
func (c *conversation) tooSilent() {
	c.mu.Lock()
	c.silent = true
	c.mu.Unlock()
	c.terminate()
}

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
	if c.silence != nil {
		c.silence.Stop()
	}
	if c.kill != nil && c.kill.Stop() {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	}
	code, reason := ending(c.cmd.ProcessState)
	blame := Outcome{Verdict: Failed, ExitCode: code, Reason: "the program ended before its answer: " + reason}
	if c.silent {
		blame.ExitCode, blame.Reason = exitTimeout, fmt.Sprintf("the program was silent for %v", c.patience)
	}
	blame.Output, blame.Truncated = c.tail.lines()
	var err error
	switch {
	case code == 0 && c.answered > 0 && !c.silent:
		err = errUntouched
	case len(c.open) > 1:
		err = errSuspect
	}
	for _, f := range c.open {
		if f.answers != nil {
			f.answers <- reply{f.position, blame, err}
		}
	}
	c.open = nil
}

// close lets the process end: it sees the end of its input. If that is not enough, it is killed.
func (c *conversation) close() {
	// Not under the lock of writes: a writer may be stuck with a process that does not read.
	_ = c.input.Close()
	select {
	case <-c.ended:
		return
	case <-time.After(killAfter):
	}
	c.terminate()
	<-c.ended
}
