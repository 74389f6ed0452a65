package handler

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/workqueue/workqueue/worker/fields"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
)

// Command is a program to run, and what its exit codes mean.
type Command struct {
	Args        []string      // the program and its arguments
	Path        string        // of the program's file, "" to look for it each time
	Timeout     time.Duration // per item, 0 for none
	KillAfter   time.Duration // from TERM to KILL when the program is ended, 0 for the default
	DeadCodes   []int         // exit codes after which no further attempt is made
	SnoozeCodes []int         // exit codes that do not count as an attempt
	Output      *process.Output
	Log         *slog.Logger // may be nil
}

// Once runs the command as it is, for no item, with a standard input and additional variables of its own.
func (c *Command) Once(ctx context.Context, name string, stdin io.Reader, env []string) Attempt {
	return c.runProcess(ctx, process.Origin{Label: name}, &process.Tail{},
		process.Process{Args: c.Args, Env: env, Stdin: stdin, Timeout: c.Timeout})
}

// runProcess runs a process of this command and returns its attempt. The process's output is passed on as that of an origin, and
// its standard output goes to p.Stdout too, if there is one. The end of the output is kept in tail, for an attempt that is not done.
func (c *Command) runProcess(ctx context.Context, from process.Origin, tail *process.Tail, p process.Process) Attempt {
	stdout, stderr, flush := c.Output.Writers(from)
	defer flush()
	copies := []io.Writer{stdout, tail.Stream()}
	if p.Stdout != nil {
		copies = append(copies, p.Stdout)
	}
	p.Stdout, p.Stderr = io.MultiWriter(copies...), io.MultiWriter(stderr, tail.Stream())
	if p.Args[0] == c.Args[0] {
		p.Path = c.Path
	}
	p.KillAfter, p.Origin, p.Log = c.KillAfter, from, c.Log
	started := time.Now()
	ending := p.Run(ctx)
	attempt := c.attempt(ctx, &p, ending)
	attempt.Started, attempt.Duration = started, time.Since(started)
	if attempt.Outcome != queue.OutcomeDone {
		attempt.Output, attempt.Truncated = tail.Lines()
	}
	return attempt
}

// attempt returns what the ending of a process means.
func (c *Command) attempt(ctx context.Context, p *process.Process, ending process.Ending) Attempt {
	a := Attempt{Outcome: queue.OutcomeFailed, Reason: ending.Reason, ExitCode: ending.ExitCode}
	switch {
	case ending.Err != nil:
		if ctx.Err() != nil {
			return Attempt{Outcome: queue.OutcomeReturned, Reason: "interrupted"}
		}
		if a = Unstarted(p.Args[0], ending.Err); a.Outcome == OutcomeInvalid && fields.Command(c.Args[:1]).Placeholder() != "" {
			a.Outcome = queue.OutcomeDead // other items name other programs
		}
	case ending.TimedOut:
		a.Reason, a.ExitCode = fmt.Sprintf("no end after %v", p.Timeout), process.ExitTimeout
	case ending.CutOff, ending.ExitCode != 0 && ctx.Err() != nil:
		a.Outcome, a.Reason = queue.OutcomeReturned, "interrupted"
	case ending.ExitCode == 0:
		a.Outcome, a.Reason = queue.OutcomeDone, ""
	case slices.Contains(c.DeadCodes, ending.ExitCode):
		a.Outcome = queue.OutcomeDead
	case slices.Contains(c.SnoozeCodes, ending.ExitCode):
		a.Outcome = queue.OutcomeSnoozed
	}
	return a
}
