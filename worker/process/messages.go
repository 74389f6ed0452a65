package process

import (
	"errors"
	"os/exec"
)

// messages are what a process writes to file descriptor 3. A nil *messages is that of a process without the descriptor.
type messages struct {
	pipe *pipe
	read chan struct{} // closed when all have been read
}

// startMessages gives the command a file descriptor 3, if p.Messages reads it.
func (p *Process) startMessages(cmd *exec.Cmd) (*messages, error) {
	if p.Messages == nil {
		return nil, nil
	}
	pipe, err := newPipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, pipe.writeEnd)
	m := &messages{pipe: pipe, read: make(chan struct{})}
	go func() {
		defer close(m.read)
		p.Messages(pipe)
	}()
	return m, nil
}

// started leaves the write end to the command, so that it can be seen to close it.
func (m *messages) started() {
	if m != nil {
		_ = m.pipe.writeEnd.Close()
	}
}

// end waits until all messages that were written so far have been read.
func (m *messages) end() {
	if m != nil {
		m.pipe.stopReading()
		<-m.read
		m.pipe.close()
	}
}

// IsHeld reports whether a reader of messages has ended because another process still holds the descriptor open.
func IsHeld(err error) bool { return errors.Is(err, errHeld) }
