package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
)

const (
	verifyPoll     = 250 * time.Millisecond
	verifyProgress = 10 * time.Second // between two lines of progress
	stalledAfter   = 30 * time.Second // without any change
)

var errUnfinished = errors.New("the run did not end in time (WQ_VERIFY_TIMEOUT); look at the workers' pods and logs, or wait longer")

func runVerify(ctx context.Context, _ []string) error {
	settings := &config.Verify{}
	s, err := open(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer s.Close()
	counts, ended := await(ctx, s, settings)
	if ended != nil && !errors.Is(ended, errUnfinished) && !errors.Is(ended, dispatch.ErrUnseeded) {
		return ended
	}
	conclusion := report.Conclude(counts, settings.MaxDead)
	if err := report.Print(os.Stdout, s.Name, counts, settings.MaxDead); err != nil {
		return err
	}
	err = s.retry(ctx, func(ctx context.Context) error { return report.PrintDead(ctx, os.Stdout, s.Queue, counts.Dead) })
	if err != nil {
		return err
	}
	fmt.Println(conclusion.Text)
	if code := conclusionCode(conclusion); code != exitOK {
		return codeError{code, ended}
	}
	return nil
}

// conclusionCode returns the exit code for the end of a run.
func conclusionCode(c report.Conclusion) int {
	switch c.Kind {
	case report.ConclusionOK:
		return exitOK
	case report.ConclusionDead:
		return exitDead
	case report.ConclusionVanished, report.ConclusionUnbalanced:
		return exitVanished
	}
	return 1
}

// await waits until the run has ended, or cannot go on.
func await(ctx context.Context, s *session, settings *config.Verify) (queue.Counts, error) {
	began := time.Now()
	var last queue.Counts
	var speed report.Speed
	printed, changed := began, began
	for {
		counts, err := s.counts(ctx)
		if err != nil {
			return counts, err
		}
		if report.Ended(counts) {
			return counts, nil
		}
		speed.Saw(counts)
		if counts.Done != last.Done || counts.Dead != last.Dead || counts.Leased != last.Leased {
			changed = time.Now()
		}
		if time.Since(printed) > verifyProgress {
			printed = time.Now()
			fmt.Println(report.Progress(counts, &speed))
			if still := time.Since(changed); still > stalledAfter {
				fmt.Printf("nothing has changed for %v: look at the workers' pods and logs\n", still.Round(time.Second))
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
