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
	"strconv"
	"strings"
	"syscall"
	"time"

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
	maxArgument = 128<<10 - 1     // bytes in one argument or variable, the kernel's MAX_ARG_STRLEN less its NUL
	killAfter   = 2 * time.Second // from TERM to KILL
	pipesAfter  = time.Second     // how long a grandchild may hold the output open once the command has ended
	tailBytes   = 4 << 10         // of the output kept for a dead letter
)

// Exec runs a command once per item, each in a process group of its own.
type Exec struct {
	Command   []string      // program and arguments; "{}" stands for the item
	Timeout   time.Duration // per attempt, 0 for none
	Permanent []int         // exit codes that no further attempt will change
	Temporary []int         // exit codes that are not an attempt
	Output    *Output
	Result    int // bytes of standard output to keep as the item's result, 0 for none
}

// MaxItems implements Handler.
func (*Exec) MaxItems() int { return 1 }

// Handle implements Handler.
func (e *Exec) Handle(ctx context.Context, items []queue.Item) []Outcome {
	outcomes := make([]Outcome, len(items))
	for i, item := range items {
		started := time.Now()
		outcomes[i] = e.run(ctx, item)
		outcomes[i].Started = started
		outcomes[i].Duration = time.Since(started)
	}
	return outcomes
}

func (e *Exec) run(ctx context.Context, item queue.Item) Outcome {
	args, err := e.arguments(item.Payload)
	if err != nil {
		return Outcome{Verdict: Permanent, Reason: err.Error()}
	}
	attempt := ctx
	var deadline time.Time
	if e.Timeout > 0 {
		deadline = time.Now().Add(e.Timeout)
		var cancel context.CancelFunc
		attempt, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	tail := &tail{}
	cmd := exec.CommandContext(attempt, args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(item.Payload)
	result := &head{limit: e.Result}
	stdout, stderr, flush := e.Output.writers(item, label(item.Payload))
	cmd.Stdout = io.MultiWriter(stdout, tail, result)
	cmd.Stderr = io.MultiWriter(stderr, tail)
	cmd.Env = e.environment(item, deadline)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = killAfter + pipesAfter
	var kill *time.Timer
	cmd.Cancel = func() error {
		group := -cmd.Process.Pid
		kill = time.AfterFunc(killAfter, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		return syscall.Kill(group, syscall.SIGTERM)
	}
	err = cmd.Run()
	flush()
	if kill != nil && kill.Stop() {
		// The command itself has gone, but what it started may still be there.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	outcome := e.judge(ctx, attempt, cmd, err)
	switch {
	case outcome.Verdict != Done:
		outcome.Output, outcome.Truncated = tail.lines()
	case e.Result > 0:
		outcome.Result = true
		outcome.Output, outcome.Truncated = result.result()
	}
	return outcome
}

// arguments puts the item in place of each {}, or behind the command if there is none.
func (e *Exec) arguments(payload string) ([]string, error) {
	args := slices.Clone(e.Command)
	placed := false
	for i, arg := range args {
		if strings.Contains(arg, "{}") {
			args[i] = strings.ReplaceAll(arg, "{}", payload)
			placed = true
		}
	}
	if !placed {
		if !isArgument(payload) {
			return args, nil // it comes by standard input
		}
		return append(args, payload), nil
	}
	for _, arg := range args {
		if !isArgument(arg) {
			return nil, fmt.Errorf("the item cannot be an argument of a command (it holds a NUL byte or more than %d bytes): "+
				"leave {} out of the command and read the item from standard input", maxArgument)
		}
	}
	return args, nil
}

func isArgument(s string) bool { return len(s) <= maxArgument && !strings.Contains(s, "\x00") }

// environment is the worker's own, less what leads to Redis, plus what is known of the item.
func (e *Exec) environment(item queue.Item, deadline time.Time) []string {
	env := slices.DeleteFunc(os.Environ(), func(assignment string) bool {
		return strings.HasPrefix(assignment, "WQ_REDIS_")
	})
	if assignment := "WQ_ITEM=" + item.Payload; isArgument(assignment) {
		env = append(env, assignment)
	}
	env = append(env, "WQ_ITEM_ID="+item.ID, "WQ_ATTEMPT="+strconv.Itoa(item.Attempts+1))
	if !deadline.IsZero() {
		env = append(env, "WQ_DEADLINE="+deadline.UTC().Format(time.RFC3339))
	}
	return env
}

// judge turns the end of a command into an outcome.
func (e *Exec) judge(ctx, attempt context.Context, cmd *exec.Cmd, err error) Outcome {
	if cmd.ProcessState == nil { // it never started
		outcome := Outcome{Verdict: Misfit, ExitCode: exitCannotRun,
			Reason: fmt.Sprintf("cannot run %s: %v", e.Command[0], err)}
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			outcome.ExitCode = exitNotFound
		}
		if ctx.Err() != nil {
			outcome.Verdict = HandedBack
		}
		return outcome
	}
	code := cmd.ProcessState.ExitCode()
	reason := fmt.Sprintf("exit code %d", code)
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = exitSignal + int(status.Signal())
		reason = fmt.Sprintf("killed by signal %d (%v)", int(status.Signal()), status.Signal())
	}
	switch {
	case code == 0:
		// Even if it was just being stopped: what is done is done.
		return Outcome{Verdict: Done}
	case ctx.Err() != nil:
		return Outcome{Verdict: HandedBack, Reason: "interrupted", ExitCode: code}
	case attempt.Err() != nil:
		return Outcome{Verdict: Failed, Reason: fmt.Sprintf("no end after %v", e.Timeout), ExitCode: exitTimeout}
	case slices.Contains(e.Permanent, code):
		return Outcome{Verdict: Permanent, Reason: reason, ExitCode: code}
	case slices.Contains(e.Temporary, code):
		return Outcome{Verdict: Temporary, Reason: reason, ExitCode: code}
	}
	return Outcome{Verdict: Failed, Reason: reason, ExitCode: code}
}
