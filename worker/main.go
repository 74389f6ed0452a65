// Worker is the one program of workqueue: it seeds a queue on Redis, works on it, and verifies that all was done.
// A verb says what to do, environment variables say everything else; see worker help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/initproc"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
)

// Exit codes. A Job's podFailurePolicy tells by them whether another pod could do better.
const (
	exitOK          = 0
	exitUsage       = 64 // no such verb
	exitDead        = 65 // too many items are dead
	exitUnreachable = 69 // Redis did not answer for too long
	exitVanished    = 70 // the queue's state is gone
	exitConfig      = 78 // something is set wrongly
	exitStopped     = 143
)

// verb is one thing the worker can do.
type verb struct {
	name     string
	summary  string
	settings func() any
	run      func(ctx context.Context, args []string) error
}

var verbs []verb

func init() { // not in the declaration: help lists the verbs, and is one
	verbs = []verb{
		{"work", "lease, run and acknowledge items until the queue is drained (the default)", func() any { return &config.Work{} }, runWork},
		{"seed", "fill the queue, once and exactly", func() any { return &config.Seed{} }, runSeed},
		{"verify", "wait for the end of the run and report on it", func() any { return &config.Verify{} }, runVerify},
		{"push", "add the items that come on standard input, one a line", func() any { return &config.Push{} }, runPush},
		{"seal", "say that no more items will come, so that the run can end", func() any { return &config.Seal{} }, runSeal},
		{"watch", "show how far the run is, until it ends", func() any { return &config.Watch{} }, runWatch},
		{"results", "print the results, a line of JSON each; with a pattern, those of matching items", func() any { return &config.Results{} }, runResults},
		{"dead", "print the dead letters in the same way", func() any { return &config.Dead{} }, runDead},
		{"retry", "put dead items back into the queue; with a pattern, matching ones", func() any { return &config.Retry{} }, runRetry},
		{"runs", "list the runs of the release that Redis still knows", func() any { return &config.Verify{} }, runRuns},
		{"purge", "delete the queue; with a pattern, all queues whose whole names match it", func() any { return &config.Purge{} }, runPurge},
		{"monitor", "serve a page that shows the run", func() any { return &config.Monitor{} }, runMonitor},
		{"install", "copy this program to the folder that is named", nil, runInstall},
		{"help", "print this", nil, runHelp},
	}
}

func main() {
	// As the first process of a container, adopt and reap what the items' commands leave behind.
	initproc.Main()
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	name := "work"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	for _, v := range verbs {
		if v.name == name {
			return exitCode(v.run(ctx, args))
		}
	}
	fmt.Fprintf(os.Stderr, "worker: there is no verb %q; worker help lists them\n", name)
	return exitUsage
}

// usageError says that a verb was called wrongly.
type usageError string

func (e usageError) Error() string { return string(e) }

// configError says which variables are wrong.
type configError struct{ error }

// deadError says that more items are dead than allowed.
type deadError struct{ dead, allowed int }

func (e deadError) Error() string {
	return fmt.Sprintf("%d dead items, %d allowed (WQ_MAX_DEAD)", e.dead, e.allowed)
}

// silent says that all has been said, and only the exit code is left.
type silent struct{ error }

func (s silent) Unwrap() error { return s.error }

// exitCode prints an error and answers the code for it.
func exitCode(err error) int {
	var (
		usage   usageError
		wrong   configError
		dead    deadError
		invalid *dispatch.InvalidCommandError
		refuse  *redisclient.RefusedError
		quiet   silent
	)
	if err != nil && !errors.As(err, &quiet) {
		if errors.As(err, &wrong) {
			fmt.Fprintf(os.Stderr, "worker: wrong environment variables:\n%v\n", err)
		} else {
			fmt.Fprintf(os.Stderr, "worker: %v\n", dispatch.Describe(err))
		}
	}
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &wrong), errors.As(err, &invalid), errors.As(err, &refuse):
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

// load reads a verb's settings and makes its logger.
func load(settings any, common *config.Common) (*slog.Logger, error) {
	if err := config.Load(settings); err != nil {
		return nil, configError{err}
	}
	options := &slog.HandlerOptions{Level: common.LogLevel.Level}
	var h slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if common.LogFormat == "json" {
		h = slog.NewJSONHandler(os.Stderr, options)
	}
	log := slog.New(h)
	var known []any
	for _, v := range verbs {
		if v.settings != nil {
			known = append(known, v.settings())
		}
	}
	if unknown := config.Unknown(known...); len(unknown) > 0 {
		log.Warn("environment variables that mean nothing here: misspelt?", "variables", unknown)
	}
	return log, nil
}

// memoryLimit is what Go's collector tries to stay under, for verbs that hold no more than a batch: the memory is there for
// the commands. Below it the collector runs seldom: a batch is garbage soon after it was leased, and collecting it at the
// default pace takes a quarter of the worker's time.
const (
	memoryLimit = 20 << 20
	memoryPace  = 400 // percent of GOGC
)

func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(memoryPace)
	}
}

// opened is a queue with the connection that leads to it.
type opened struct {
	*queue.Queue
	io.Closer
}

// openFor reads a verb's settings and connects it with its queue.
func openFor(ctx context.Context, settings any, common *config.Common) (opened, *slog.Logger, error) {
	log, err := load(settings, common)
	if err != nil {
		return opened{}, nil, err
	}
	client, err := redisclient.Connect(ctx, *common, log)
	if err != nil {
		return opened{}, nil, err
	}
	return opened{queue.New(client, common.Queue), client}, log, nil
}

func runInstall(_ context.Context, args []string) error {
	if len(args) != 1 {
		return usageError("install takes one folder: worker install /workqueue")
	}
	return handler.Install(args[0])
}

func runHelp(context.Context, []string) error {
	fmt.Print("worker VERB\n\nVerbs:\n")
	for _, v := range verbs {
		fmt.Printf("  %-9s%s\n", v.name, v.summary)
	}
	for _, v := range verbs {
		if v.settings != nil {
			fmt.Printf("\nEnvironment variables of %s:\n%s", v.name, config.Help(v.settings()))
		}
	}
	return nil
}
