package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisconn"
	"github.com/workqueue/workqueue/worker/work"
)

const (
	batchBytes      = 2 << 20 // payload bytes in one batch: what one reply may cost Redis and this worker
	terminationPath = "/dev/termination-log"
	memoryLimit     = 20 << 20 // that Go's collector tries to stay under; the memory is there for the commands
)

func runWork(ctx context.Context, _ []string) error {
	settings := &config.Work{}
	log, err := load(settings, &settings.Common)
	if err != nil {
		return err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	client, err := redisconn.Connect(ctx, settings.Common, log)
	if err != nil {
		return err
	}
	defer client.Close()

	w := &work.Worker{
		Queue:   queue.New(client, settings.Queue),
		Handler: newHandler(settings),
		Log:     log,
		Name:    work.NewName(settings.HostName()),
		Policy: work.Policy{
			Slots:        settings.Concurrency,
			Fill:         1,
			MaxAttempts:  settings.MaxAttempts,
			Backoff:      work.Backoff{First: settings.Backoff, Max: settings.BackoffMax},
			Grace:        settings.Grace,
			Patience:     settings.RedisPatience,
			SeedPatience: settings.SeedPatience,
			Host:         settings.HostName(),
			Node:         settings.Node,
			Limits: queue.Limits{
				Lease:      settings.Lease,
				BatchBytes: batchBytes,
				MaxCrashes: settings.MaxCrashes,
				StopAfter:  settings.StopAfterDead,
				Retention:  settings.Retention,
				MaxResults: settings.MaxResults,
			},
		},
	}
	switch settings.Mode {
	case config.Batch:
		w.Policy.Fill = settings.BatchSize
	case config.Stream:
		w.Policy.Slots *= settings.InFlight
	}
	if c, ok := w.Handler.(io.Closer); ok {
		defer c.Close()
	}
	log.Info("worker starts", "session", w.Name, "queue", settings.Queue)
	counts, err := readCounts(ctx, w.Queue, settings.Common, log)
	if err != nil {
		return err
	}
	log.Info("initial queue state", "empty", counts.Open() == 0, "ready", counts.Ready, "leased", counts.Leased,
		"done", counts.Done, "dead", counts.Dead, "sealed", counts.Sealed)

	err = w.Run(ctx)

	tally := w.Tally
	log.Info("worker ends", "done", tally.Done, "failed attempts", tally.Failed, "dead", tally.Dead,
		"handed back", tally.Postponed, "lost to others", tally.Lost, "because", ending(err))
	if errors.Is(err, queue.ErrVanished) {
		err = fmt.Errorf("%w; what was done cannot be known any more. Install again, or upgrade with another value of rerun", err)
	}
	if err == nil {
		if counts, err = readCounts(ctx, w.Queue, settings.Common, log); err != nil {
			return err
		}
		log.Info("the queue is drained", "done", counts.Done, "dead", counts.Dead, "of", counts.Total())
		if counts.Dead > settings.MaxDead {
			err = deadError{counts.Dead, settings.MaxDead}
		}
	}
	writeTermination(tally, err)
	return err
}

func newHandler(settings *config.Work) handler.Handler {
	output := &handler.Output{Format: string(settings.Output), Out: os.Stdout, Err: os.Stderr}
	if len(settings.Command) == 0 {
		return handler.Print{Output: output}
	}
	command := handler.Command{
		Args:      settings.Command,
		Timeout:   settings.ItemTimeout,
		Permanent: settings.PermanentExitCodes,
		Temporary: settings.TemporaryExitCodes,
		Output:    output,
	}
	switch settings.Mode {
	case config.Batch:
		return &handler.Batch{Command: command, Size: settings.BatchSize, Delimiter: byte(settings.Delimiter)}
	case config.Stream:
		return &handler.Stream{Command: command, Processes: settings.Concurrency,
			InFlight: settings.InFlight, StartTimeout: settings.StartTimeout,
			ResultBytes: settings.ResultBytes}
	}
	exec := &handler.Exec{Command: command}
	if settings.Capture {
		exec.ResultBytes = settings.ResultBytes
	}
	return exec
}

func ending(err error) string {
	switch {
	case err == nil:
		return "the queue is drained"
	case errors.Is(err, context.Canceled):
		return "it was told to"
	}
	return err.Error()
}

// writeTermination leaves a line where kubectl describe pod shows it.
func writeTermination(tally work.Tally, err error) {
	file, openErr := os.OpenFile(terminationPath, os.O_WRONLY|os.O_TRUNC, 0)
	if openErr != nil {
		return // not in a container
	}
	defer file.Close()
	fmt.Fprintf(file, "done %d, failed attempts %d, dead %d, handed back %d: %s\n",
		tally.Done, tally.Failed, tally.Dead, tally.Postponed, ending(err))
}
