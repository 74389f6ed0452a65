package handler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/workqueue/workqueue/worker/queue"
)

// Exit codes with a meaning that shells and timeout(1) have given them.
const (
	exitTimeout   = 124
	exitCannotRun = 126
	exitNotFound  = 127
	exitSignal    = 128 // plus the signal's number
)

const (
	killAfter  = 2 * time.Second // from TERM to KILL
	pipesAfter = time.Second     // how long a grandchild may hold the output open once the command has ended
	tailBytes  = 4 << 10         // of the output kept for a dead letter
)

// Command is a program to run, and what its end means.
type Command struct {
	Args        []string      // the program and its arguments
	Path        string        // of the program if it is known, or else it is looked for each time
	Timeout     time.Duration // per item, 0 for none
	DeadCodes   []int         // exit codes that no further attempt will change
	SnoozeCodes []int         // exit codes that are not an attempt
	Output      *Output
}

// process is one run of a command.
type process struct {
	args    []string
	env     []string // beside the worker's own
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	extra   []*os.File // file descriptors from 3 on
	timeout time.Duration
}

// run runs a process in a group of its own and returns its attempt. When ctx is done or the timeout is over, the whole group gets
// TERM, and KILL if that does not end it; whatever the exit code is then, the attempt has not succeeded.
func (c *Command) run(ctx context.Context, p process) Attempt {
	attempt := ctx
	env := append(Environment(), p.env...)
	if p.timeout > 0 {
		deadline := time.Now().Add(p.timeout)
		env = append(env, "WQ_DEADLINE="+deadline.UTC().Format(time.RFC3339))
		var cancel context.CancelFunc
		attempt, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	started := time.Now()
	program := p.args[0]
	if c.Path != "" && program == c.Args[0] {
		program = c.Path
	}
	cmd := exec.CommandContext(attempt, program, p.args[1:]...)
	cmd.Args[0] = p.args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.stdin, buffered{p.stdout}, buffered{p.stderr}
	cmd.ExtraFiles = p.extra
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = killAfter + pipesAfter
	var kill *time.Timer
	cutOff := false // TERM was sent before the command had ended
	cmd.Cancel = func() error {
		cutOff = !hasEnded(cmd.Process.Pid)
		kill = endGroup(cmd.Process.Pid)
		return nil
	}
	err := cmd.Run()
	if kill != nil && kill.Stop() {
		// The command itself has gone, but what it started may still be there.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	outcome := c.judge(ctx, cmd, err)
	if cutOff {
		outcome = Attempt{Outcome: queue.OutcomeReturned, Reason: "interrupted", ExitCode: outcome.ExitCode}
		if errors.Is(attempt.Err(), context.DeadlineExceeded) {
			outcome = Attempt{Outcome: queue.OutcomeFailed, Reason: fmt.Sprintf("no end after %v", p.timeout), ExitCode: exitTimeout}
		}
	}
	outcome.Started, outcome.Duration = started, time.Since(started)
	return outcome
}

// hasEnded reports whether a child has ended, be it waited for or not.
func hasEnded(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != nil || info.Signo != 0
}

// endGroup ends a process group: TERM now, and KILL later unless the timer is stopped.
func endGroup(leader int) *time.Timer {
	_ = syscall.Kill(-leader, syscall.SIGTERM)
	return time.AfterFunc(killAfter, func() { _ = syscall.Kill(-leader, syscall.SIGKILL) })
}

// Environment is the worker's own, less what leads to Redis: what every command finds.
func Environment() []string { return slices.Clone(ownEnvironment()) }

var ownEnvironment = sync.OnceValue(func() []string {
	env := slices.DeleteFunc(os.Environ(), func(assignment string) bool {
		return strings.HasPrefix(assignment, "WQ_REDIS_")
	})
	return slices.Clip(env)
})

// judge returns the attempt of a command that ended by itself, or did not start.
func (c *Command) judge(ctx context.Context, cmd *exec.Cmd, err error) Attempt {
	if cmd.ProcessState == nil { // it never started
		outcome := unstarted(cmd.Args[0], err)
		if outcome.Outcome == OutcomeInvalid && strings.Contains(c.Args[0], "{}") {
			outcome.Outcome = queue.OutcomeDead // other items name other programs
		}
		if ctx.Err() != nil {
			outcome.Outcome = queue.OutcomeReturned
		}
		return outcome
	}
	code, reason := ending(cmd.ProcessState)
	switch {
	case code == 0:
		return Attempt{Outcome: queue.OutcomeDone}
	case ctx.Err() != nil:
		return Attempt{Outcome: queue.OutcomeReturned, Reason: "interrupted", ExitCode: code}
	case slices.Contains(c.DeadCodes, code):
		return Attempt{Outcome: queue.OutcomeDead, Reason: reason, ExitCode: code}
	case slices.Contains(c.SnoozeCodes, code):
		return Attempt{Outcome: queue.OutcomeSnoozed, Reason: reason, ExitCode: code}
	}
	return Attempt{Outcome: queue.OutcomeFailed, Reason: reason, ExitCode: code}
}

// unstarted is the outcome if a program could not be started: most often for no item, and then the configuration is
// wrong, but perhaps only for this one, or only now.
func unstarted(program string, err error) Attempt {
	outcome := Attempt{Outcome: OutcomeInvalid, ExitCode: exitCannotRun, Reason: fmt.Sprintf("cannot run %s: %v", program, err)}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		outcome.ExitCode = exitNotFound
	case errors.Is(err, syscall.E2BIG):
		outcome.Outcome = queue.OutcomeDead
		outcome.Reason += ": leave {} out of the command and read the item from standard input"
	case slices.ContainsFunc(scarce, func(errno syscall.Errno) bool { return errors.Is(err, errno) }):
		outcome.Outcome = queue.OutcomeSnoozed
	}
	return outcome
}

// scarce is what the kernel says when there is too little of something just now: processes, memory, files. ETXTBSY is a
// program that somebody is still writing.
var scarce = []syscall.Errno{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.ETXTBSY}

// ending tells how a process ended, in a number and in words.
func ending(state *os.ProcessState) (code int, reason string) {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignal + int(status.Signal()),
			fmt.Sprintf("killed by signal %d (%v)", int(status.Signal()), status.Signal())
	}
	return state.ExitCode(), fmt.Sprintf("exit code %d", state.ExitCode())
}
