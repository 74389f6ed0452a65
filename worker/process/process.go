// Package process runs child processes: each leads a process group, gets the worker's environment without what leads to Redis, and
// has its output passed on.
package process

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// DefaultKillAfter is the time from TERM to KILL, unless a process has its own.
	DefaultKillAfter = 2 * time.Second
	// PipeDelay is how long other processes may hold a process's pipes open after it has ended.
	PipeDelay = time.Second
)

// Process is a program to run.
type Process struct {
	Args    []string // the program's name and its arguments
	Path    string   // of the program's file, "" to look for the name in $PATH
	Env     []string // in addition to Environment
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Timeout time.Duration // 0 for none

	// Messages reads what the process writes to file descriptor 3. It returns when r ends: with io.EOF after all that was written before the
	// process ended, or with another error if some other process still holds the descriptor open then. Without Messages the process has no
	// descriptor 3.
	Messages func(r io.Reader)

	KillAfter time.Duration // from TERM to KILL, DefaultKillAfter if it is 0
	Origin    Origin        // names the process in the log
	Log       *slog.Logger  // may be nil
}

func (p *Process) killAfter() time.Duration { return cmp.Or(p.KillAfter, DefaultKillAfter) }

// Run runs the process to its end. When ctx is done or the timeout is over, it is terminated with all that have come down from it, and
// Run returns when they have ended. If it ends by itself, Run returns at once, or a moment later if others hold its pipes; what it has
// left behind is ended meanwhile.
func (p *Process) Run(ctx context.Context) Ending {
	if err := ctx.Err(); err != nil {
		return Ending{Err: err}
	}
	env, limited := p.Env, ctx
	deadline := time.Now().Add(p.Timeout)
	if p.Timeout > 0 {
		env = append(slices.Clip(env), "WQ_DEADLINE="+deadline.UTC().Format(time.RFC3339))
	}
	cmd := p.command(env)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Stdin, buffered{p.Stdout}, buffered{p.Stderr}
	cmd.WaitDelay = PipeDelay
	messages, err := p.newMessages(cmd)
	if err != nil {
		return Ending{Err: err}
	}
	t := newTree(p)
	err = t.start(cmd)
	messages.start(p.Messages, err)
	if err != nil {
		return Ending{Err: err}
	}
	if p.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	stop := context.AfterFunc(limited, t.terminate)
	cutOff := t.awaitLeader()
	stop()
	messages.end() // what others write after the leader's end is no message of this process
	_ = cmd.Wait()
	t.leave()
	ending := newEnding(cmd.ProcessState)
	ending.CutOff = cutOff
	ending.TimedOut = cutOff && errors.Is(limited.Err(), context.DeadlineExceeded)
	return ending
}

// command returns the process as the leader of a group of its own.
func (p *Process) command(env []string) *exec.Cmd {
	program := p.Args[0]
	if p.Path != "" {
		program = p.Path
	}
	cmd := exec.Command(program, p.Args[1:]...)
	cmd.Args[0] = p.Args[0]
	cmd.Env = append(Environment(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// Environment returns the worker's environment without the variables that lead to Redis, and without those of an item, which the worker may have if
// it runs under another.
func Environment() []string { return slices.Clone(ownEnvironment()) }

var ownEnvironment = sync.OnceValue(func() []string {
	env := slices.DeleteFunc(os.Environ(), func(assignment string) bool {
		return strings.HasPrefix(assignment, "WQ_REDIS_") || strings.HasPrefix(assignment, "WQ_FIELD_") || strings.HasPrefix(assignment, "WQ_ITEM=")
	})
	return slices.Clip(env)
})
