// Worker is the one program of workqueue: it seeds a queue on Redis, runs its items, and verifies that all are done.
// A verb says what to do, environment variables say everything else; see worker help.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/initproc"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/report"
	"github.com/workqueue/workqueue/worker/text"
)

// Exit codes. A Job's podFailurePolicy decides by them whether another pod could do better.
const (
	exitOK          = 0
	exitUsage       = 64 // no such verb, or wrong arguments
	exitDead        = 65 // too many items are dead
	exitUnreachable = 69 // Redis was unreachable for too long
	exitVanished    = 70 // the queue's state is gone
	exitUnfinished  = 75 // the run has not ended
	exitConfig      = 78 // a setting is wrong
	exitStopped     = 143
)

// exitMeanings says what the exit codes mean, for help.
var exitMeanings = map[int]string{
	exitOK:          "it is done",
	1:               "it failed; the message says why",
	exitUsage:       "no such verb, or wrong arguments: nothing was done",
	exitDead:        "too many items are dead",
	exitUnreachable: "Redis was unreachable for WQ_REDIS_UNREACHABLE_TIMEOUT",
	exitVanished:    "the queue's data is gone",
	exitUnfinished:  "the run has not ended",
	exitConfig:      "a variable is wrong, or Redis or the command cannot be used",
	exitStopped:     "ended by SIGINT or SIGTERM",
}

// stateCodes has the exit code of status and verify for each state of a run.
var stateCodes = map[report.State]int{
	report.StateDone:       exitOK,
	report.StateFailed:     exitDead,
	report.StateStopped:    exitDead,
	report.StateUnseeded:   exitVanished,
	report.StateVanished:   exitVanished,
	report.StateUnbalanced: exitVanished,
	report.StateSeeding:    exitUnfinished,
	report.StateWaiting:    exitUnfinished,
	report.StateRunning:    exitUnfinished,
	report.StatePaused:     exitUnfinished,
	report.StateOpen:       exitUnfinished,
	report.StateBroken:     exitConfig,
}

// signalTimeout limits the time that a verb other than work takes to end after a signal.
const signalTimeout = 10 * time.Second

func main() {
	// As the first process of a container, reap orphans, and start a worker again that was killed. Other verbs are not started again:
	// a second push would push twice.
	first := slices.IndexFunc(os.Args[1:], func(arg string) bool { return !assignment.MatchString(arg) })
	initproc.Main(first >= 0 && os.Args[1+first] == "work")
	os.Exit(run(os.Args[1:]))
}

// run runs a verb, prints its error and returns the exit code.
func run(args []string) int {
	err := runVerb(args)
	if message := explain(err); message != "" {
		fmt.Fprintln(os.Stderr, text.Printable("worker: "+message))
	}
	return exitCode(err)
}

// runVerb runs the verb in the arguments. Nothing acts before all of them are known to be right.
func runVerb(args []string) error {
	var assigned []string
	for ; len(args) > 0; args = args[1:] {
		variable := assignment.FindStringSubmatch(args[0])
		if variable == nil {
			break
		}
		_ = os.Setenv(variable[1], variable[2]) // a value with a NUL cannot be an argument
		assigned = append(assigned, variable[1])
	}
	if len(args) == 0 {
		_ = printVerbs(os.Stderr)
		return codeError{code: exitUsage}
	}
	name, args := args[0], args[1:]
	switch name {
	case "-h", "--help":
		name = helpVerb.name
	case "--version":
		return printVersion()
	}
	v := verbNamed(name)
	if v == nil {
		return usageError(fmt.Sprintf("there is no verb %q; worker help lists them", name))
	}
	operands, help, err := v.operandsOf(args)
	switch {
	case err != nil:
		return err
	case help:
		return v.printHelp()
	}
	if err := v.refuseForeign(assigned); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if v != &workVerb { // which has a grace of its own
		context.AfterFunc(ctx, func() { time.AfterFunc(signalTimeout, func() { os.Exit(exitStopped) }) })
	}
	return v.run(ctx, operands)
}

// refuseForeign refuses variables that the verb does not read: those before it, and those that a person sets for one call.
func (v *verb) refuseForeign(assigned []string) error {
	var settings any
	if v.settings != nil {
		settings = v.settings()
	}
	if names := config.Foreign(settings, assigned); len(names) > 0 {
		return usageError(fmt.Sprintf("%s does not read %s; worker help %s lists its variables", v.name, strings.Join(names, ", "), v.name))
	}
	return nil
}

// usageError is a verb called with wrong arguments.
type usageError string

func (e usageError) Error() string { return string(e) }

// configError is one or more wrong settings.
type configError struct{ error }

// deadError is a run with more dead items than allowed.
type deadError struct{ dead, allowed int }

func (e deadError) Error() string {
	return fmt.Sprintf("%s, %d allowed (WQ_MAX_DEAD)", report.Counted(e.dead, "dead item", "dead items"), e.allowed)
}

// codeError is an error with an exit code of its own. Without an error inside, everything is printed already.
type codeError struct {
	code int
	err  error
}

func (e codeError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e codeError) Unwrap() error { return e.err }

// advice is what to do about an error, by the first match.
var advice = []struct {
	err  error
	text string
}{
	{dispatch.ErrStopped, "worker dead lists them; correct the cause, then put them back with worker retry"},
	{queue.ErrVanished, "which items are done is lost; install again, or upgrade with another value of rerun"},
	{dispatch.ErrUnseeded, "if the seed Job has not run, see its log; if Redis lost its data, install again or upgrade with another value of rerun"},
}

// explain returns what to print about err, "" for nothing: what happened, and what to do next.
func explain(err error) string {
	var (
		wrong   configError
		dead    deadError
		invalid *dispatch.InvalidCommandError
	)
	switch {
	case err == nil || err.Error() == "":
		return ""
	case errors.As(err, &wrong):
		return "wrong environment variables:\n" + err.Error()
	case errors.As(err, &invalid):
		return err.Error() + ": no item can be run, and this worker has tried none; correct the command or the image"
	case errors.Is(err, context.Canceled):
		return "stopped by a signal"
	case errors.As(err, &dead):
		return err.Error() + "; worker dead lists them, worker retry puts them back into the queue"
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			return err.Error() + "; " + a.text
		}
	}
	return err.Error()
}

// exitCode returns the process exit code for err.
func exitCode(err error) int {
	var (
		own     codeError
		usage   usageError
		wrong   configError
		dead    deadError
		invalid *dispatch.InvalidCommandError
		refused *redisclient.RefusedError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &wrong), errors.As(err, &invalid), errors.As(err, &refused):
		return exitConfig
	case errors.As(err, &dead), errors.Is(err, dispatch.ErrStopped):
		return exitDead
	case errors.Is(err, redisclient.ErrUnreachable):
		return exitUnreachable
	case errors.Is(err, queue.ErrVanished), errors.Is(err, dispatch.ErrUnseeded):
		return exitVanished
	case errors.Is(err, errUnfinished):
		return exitUnfinished
	case errors.Is(err, context.Canceled):
		return exitStopped
	}
	return 1
}
