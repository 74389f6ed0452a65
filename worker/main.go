// Worker is the one program of workqueue: it seeds a queue on Redis, runs its items, and verifies that all are done.
// A verb says what to do, environment variables say everything else; see worker help.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"

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
	exitConfig      = 78 // a setting is wrong
	exitStopped     = 143
)

// verb is one thing that the worker can do.
type verb struct {
	name    string
	summary string
	run     func(ctx context.Context, args []string) error
}

var verbs []verb

func init() { // not in the declaration: help lists the verbs, and is one
	verbs = []verb{
		{"work", "lease, run and acknowledge items until the queue is drained (the default)", runWork},
		{"seed", "fill the queue, once and exactly", runSeed},
		{"try", "run the command for one item, as the worker would, and touch no queue: worker try ITEM", runTry},
		{"verify", "wait for the end of the run and report on it", runVerify},
		{"push", "add the items on standard input, one a line or in a format of WQ_ITEMS_FORMAT: worker push csv", runPush},
		{"seal", "close the queue: no more items will be added, so the run can end", runSeal},
		{"pause", "lease no more items until resume; items that run go on", runPause},
		{"resume", "lease items again", runResume},
		{"watch", "show the progress of the run until it ends", runWatch},
		{"results", "print the results; with a pattern, those of matching items", runResults},
		{"dead", "print the dead letters; with a pattern, those of matching items", runDead},
		{"records", "print a line for each attempt (WQ_RECORD=all) and each item that was cancelled; with a pattern, those of matching items", runRecords},
		{"cancel", "take the waiting items out of the queue in which the pattern is found: worker cancel PATTERN", runCancel},
		{"retry", "put dead items back into the queue; with a pattern, matching ones", runRetry},
		{"runs", "list the runs of the release that are still in Redis; without WQ_QUEUE, all that are there", runRuns},
		{"purge", "delete the queue; with a pattern, every queue whose whole name matches", runPurge},
		{"monitor", "serve a page that shows the run", runMonitor},
		{"install", "copy this program to a folder: worker install DIR", runInstall},
		{"help", "print this", runHelp},
	}
}

func main() {
	// As the first process of a container, adopt and reap what the items' commands leave behind.
	initproc.Main()
	os.Exit(run(os.Args[1:]))
}

// assignment is a variable before the verb, as in worker WQ_FORMAT=csv results: kubectl exec can set none, and the image has no env.
var assignment = regexp.MustCompile(`^(WQ_\w+)=(?s:(.*))$`)

// run runs a verb, prints its error and returns the exit code.
func run(args []string) int {
	for len(args) > 0 {
		variable := assignment.FindStringSubmatch(args[0])
		if variable == nil {
			break
		}
		_ = os.Setenv(variable[1], variable[2]) // a value with a NUL cannot be an argument
		args = args[1:]
	}
	name := "work"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	for _, v := range verbs {
		if v.name == name {
			err := v.run(ctx, args)
			if message := explain(err); message != "" {
				fmt.Fprintln(os.Stderr, text.Printable("worker: "+message))
			}
			return exitCode(err)
		}
	}
	fmt.Fprintf(os.Stderr, "worker: there is no verb %q; worker help lists them\n", name)
	return exitUsage
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
		return err.Error() + ": no item can be run, so none was tried; correct the command or the image"
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
	case errors.Is(err, context.Canceled):
		return exitStopped
	}
	return 1
}
