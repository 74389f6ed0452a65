package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/report"
)

const (
	verifyPoll  = 250 * time.Millisecond
	verifyTells = 10 * time.Second // how often the wait shows how far the run is
	stalledFor  = 30 * time.Second // without any change, it says where to look
)

var errUnfinished = errors.New("the run did not end in time (WQ_VERIFY_TIMEOUT)")

func runVerify(ctx context.Context, _ []string) error {
	settings := &config.Verify{}
	q, log, err := openFor(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer q.Close()

	counts, early := await(ctx, q.Queue, settings, log)
	if early != nil && !errors.Is(early, errUnfinished) && !errors.Is(early, dispatch.ErrUnseeded) {
		return early
	}
	if err := report.Print(ctx, os.Stdout, q.Queue, counts, settings.MaxDead); err != nil {
		return err
	}
	switch {
	case early != nil:
		return early
	case counts.Dead > settings.MaxDead:
		return silent{deadError{counts.Dead, settings.MaxDead}}
	}
	return nil
}

// await waits until the run is over, or cannot go on.
func await(ctx context.Context, q *queue.Queue, settings *config.Verify, log *slog.Logger) (queue.Counts, error) {
	began := time.Now()
	var last queue.Counts
	told, changed := began, began
	for {
		counts, err := readCounts(ctx, q, settings.Common, log)
		if err != nil {
			return counts, err
		}
		if counts.Drained() || (counts.Stopped && counts.Leased == 0) {
			return counts, nil
		}
		if counts.Done != last.Done || counts.Dead != last.Dead || counts.Leased != last.Leased {
			changed = time.Now()
		}
		if time.Since(told) > verifyTells {
			told = time.Now()
			progress(os.Stdout, counts)
			if time.Since(changed) > stalledFor {
				fmt.Printf("nothing has changed for %v: look at the workers' pods and logs\n",
					time.Since(changed).Round(time.Second))
			}
		}
		switch waited := time.Since(began); {
		case waited > settings.Timeout:
			return counts, errUnfinished
		case !counts.Exists && (last.Exists || settings.SeedTimeout > 0 && waited > settings.SeedTimeout):
			return counts, dispatch.ErrUnseeded
		}
		last = counts
		select {
		case <-ctx.Done():
			return counts, ctx.Err()
		case <-time.After(verifyPoll):
		}
	}
}

func progress(out io.Writer, c queue.Counts) {
	switch {
	case !c.Exists:
		fmt.Fprintln(out, "waiting: the queue was not seeded yet")
	case c.Open() == 0 && !c.Sealed:
		fmt.Fprintf(out, "waiting: %d done, %d dead, but the queue is not sealed: more items may come\n", c.Done, c.Dead)
	default:
		fmt.Fprintf(out, "waiting: %d of %d done, %d dead, %d running\n", c.Done, c.Total(), c.Dead, c.Leased)
	}
}

func readCounts(ctx context.Context, q *queue.Queue, c config.Common, log *slog.Logger) (counts queue.Counts, err error) {
	err = redisclient.Retry(ctx, c.RedisUnreachableTimeout, log, func(ctx context.Context) error {
		counts, err = q.Counts(ctx)
		return err
	})
	return counts, err
}
