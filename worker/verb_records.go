package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/redisclient"
)

func runResults(ctx context.Context, args []string) error {
	settings := &config.Results{}
	q, log, err := openFor(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer q.Close()
	if err := matchArgument(&settings.Match, args); err != nil {
		return err
	}
	counts, err := readCounts(ctx, q.Queue, settings.Common, log)
	if err != nil {
		return err
	}
	if counts.ResultsDropped > 0 {
		log.Warn("results are missing: there were more than are kept (WQ_MAX_RESULTS)", "missing", counts.ResultsDropped)
	}
	return printRecords(ctx, q.Queue.Results, settings.Match)
}

func runDead(ctx context.Context, args []string) error {
	settings := &config.Dead{}
	q, _, err := openFor(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer q.Close()
	if err := matchArgument(&settings.Match, args); err != nil {
		return err
	}
	return printRecords(ctx, q.Queue.DeadLetters, settings.Match)
}

func runRetry(ctx context.Context, args []string) error {
	settings := &config.Retry{}
	q, log, err := openFor(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer q.Close()
	if err := matchArgument(&settings.Match, args); err != nil {
		return err
	}
	before, err := readCounts(ctx, q.Queue, settings.Common, log)
	if err != nil {
		return err
	}
	var letters []string
	err = q.DeadLetters(ctx, func(r queue.Record) bool {
		if settings.Match.Matches(r.Payload) {
			letters = append(letters, r.Key)
		}
		return true
	})
	if err != nil {
		return err
	}
	back := 0
	// A letter that an unanswered try has put back is no longer there for the next, so nothing is put back twice.
	err = redisclient.Retry(ctx, settings.RedisUnreachableTimeout, log, func(ctx context.Context) error {
		n, err := q.Retry(ctx, letters)
		back += n
		return err
	})
	fmt.Printf("%d dead items are back in the queue\n", back)
	if back > 0 {
		tellIfEnded(before, log)
	}
	return err
}

// matchArgument takes the pattern from the command line, where it is more at hand for a person than a variable.
func matchArgument(pattern *config.Pattern, args []string) error {
	if len(args) > 1 {
		return usageError("one pattern is enough, in quotes: a regular expression")
	}
	if len(args) == 1 {
		if err := pattern.Decode(args[0]); err != nil {
			return usageError(fmt.Sprintf("%q is not %s", args[0], pattern.Expected()))
		}
	}
	return nil
}

func printRecords(ctx context.Context, read func(context.Context, func(queue.Record) bool) error, match config.Pattern) error {
	out := bufio.NewWriter(os.Stdout)
	var failed error
	err := read(ctx, func(r queue.Record) bool {
		if match.Matches(r.Payload) {
			failed = record.New(r).Write(out)
		}
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if err == nil {
		err = out.Flush()
	}
	return err
}

// tellIfEnded says that workers must be started for what is put into a queue that had drained: they have ended with it.
func tellIfEnded(before queue.Counts, log *slog.Logger) {
	if !before.Finished.IsZero() {
		log.Warn("the run had ended before, and its workers with it: start workers again, by an upgrade with a changed worker value")
	}
}
