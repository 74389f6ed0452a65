package process

import (
	"errors"
	"io"
	"os/exec"
	"time"
)

// Child is a process that keeps running while the worker writes to it and reads from it.
type Child struct {
	Stdin io.WriteCloser

	cmd     *exec.Cmd
	tree    *tree
	output  *pipe
	allRead chan struct{} // closed when standard output has ended
}

// Start starts the process. Its Stdin and Timeout do not count.
func (p *Process) Start() (*Child, error) {
	c := &Child{tree: newTree(p), cmd: p.command(p.Env), allRead: make(chan struct{})}
	c.cmd.WaitDelay = PipeDelay
	c.cmd.Stderr = p.Stderr
	var err error
	if c.output, err = newPipe(); err != nil {
		return nil, err
	}
	c.cmd.Stdout = c.output.writeEnd
	if c.Stdin, err = c.cmd.StdinPipe(); err == nil {
		err = c.tree.start(c.cmd)
	}
	if err != nil {
		c.output.close()
		return nil, err
	}
	_ = c.output.writeEnd.Close()
	go func() {
		_, _ = buffered{p.Stdout}.ReadFrom(c.output)
		close(c.allRead)
	}()
	return c, nil
}

// Terminate terminates the process and all that have come down from it. It may be called at any time and more than once.
func (c *Child) Terminate() { c.tree.terminate() }

// Wait waits until the process has ended and its output has been passed on, and ends what it has left behind, as Run does.
func (c *Child) Wait() Ending {
	c.tree.awaitLeader()
	delay := PipeDelay
	if errors.Is(c.cmd.Wait(), exec.ErrWaitDelay) {
		delay = 0 // it was already spent on standard error
	}
	select {
	case <-c.allRead:
	case <-time.After(delay):
		c.output.stopReading()
		<-c.allRead
	}
	c.output.close()
	c.tree.leave()
	return newEnding(c.cmd.ProcessState)
}
