package process

import (
	"errors"
	"io"
	"os/exec"
)

// messages are what a process writes to file descriptor 3. A nil *messages is that of a process without the descriptor.
type messages struct {
	pipe *pipe
	read chan struct{} // closed when all have been read
}

// newMessages gives the command a file descriptor 3, if p.Messages reads it.
func (p *Process) newMessages(cmd *exec.Cmd) (*messages, error) {
	if p.Messages == nil {
		return nil, nil
	}
	pipe, err := newPipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, pipe.writeEnd)
	return &messages{pipe: pipe, read: make(chan struct{})}, nil
}

// start starts to read, unless the process could not be started. It leaves the write end to the process, so that the reader sees if it is closed.
func (m *messages) start(read func(io.Reader), failed error) {
	switch {
	case m == nil:
	case failed != nil:
		m.pipe.close()
	default:
		_ = m.pipe.writeEnd.Close()
		go func() {
			defer close(m.read)
			read(m.pipe)
		}()
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
