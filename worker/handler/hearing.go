package handler

import (
	"bytes"
	"fmt"
	"time"
)

const (
	maxAnswer = 4 << 20                // the longest line that is taken for an answer
	readSize  = 32 << 10               // of output that is read at once, by io.Copy
	plenty    = 64                     // unanswered items with which a process has enough to do for a while
	gathering = 500 * time.Microsecond // that while
)

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
