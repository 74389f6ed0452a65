package process

import (
	"os/exec"
)

// Child is a process that keeps running while the worker writes to it and reads from it.
type Child struct {
	Stdin *Input

	cmd      *exec.Cmd
	tree     *tree
	messages *messages
}

// Start starts the process. Its Stdin and Timeout do not count.
func (p *Process) Start() (*Child, error) {
	c := &Child{tree: newTree(p), cmd: p.command(p.Env)}
	c.cmd.WaitDelay = PipeDelay
	c.cmd.Stdout, c.cmd.Stderr = buffered{p.Stdout}, buffered{p.Stderr}
	stdin, input, err := NewInput()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	c.Stdin, c.cmd.Stdin = input, stdin
	if c.messages, err = p.newMessages(c.cmd); err != nil {
		_ = input.Close()
		return nil, err
	}
	err = c.tree.start(c.cmd)
	c.messages.start(p.Messages, err)
	if err != nil {
		_ = input.Close()
		return nil, err
	}
	return c, nil
}

// Terminate terminates the process and all that have come down from it. It may be called at any time and more than once.
func (c *Child) Terminate() { c.tree.terminate() }

// HasEnded reports whether the process itself has ended, whatever it has left behind.
func (c *Child) HasEnded() bool { return hasEnded(c.tree.leader) }

// Wait waits until the process has ended and its messages and output have been passed on, and ends what it has left behind, as Run does.
func (c *Child) Wait() Ending {
	c.tree.awaitLeader()
	c.messages.end()
	_ = c.cmd.Wait()
	c.tree.leave()
	return newEnding(c.cmd.ProcessState)
}
