package main

import (
	"cmp"
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

var verifyVerb = verb{
	name:     "verify",
	summary:  "wait for the end of the run and report on it",
	help:     "Exit code 0 means that every item is done, but for WQ_MAX_DEAD.",
	settings: func() any { return &config.Verify{} },
	examples: []string{
		"kubectl exec deploy/fruits-monitor -- worker verify",
	},
	codes: []int{exitUnreachable, exitConfig, exitDead, exitVanished, exitUnfinished},
	run:   runVerify,
}

const (
	verifyPoll     = 250 * time.Millisecond
	verifyProgress = 10 * time.Second // between two lines of progress
	verifyBroken   = 30 * time.Second // for which a worker that can run an item may still start, in place of those that could not
)

var (
	errUnfinished = errors.New("the run did not end in time (WQ_VERIFY_TIMEOUT); look at the workers' pods and logs, or wait longer")
	errNoWorker   = fmt.Errorf("no worker has started: kubectl describe the worker Job and its pods to see why, such as a quota that forbids them; %w", errUnfinished)
)

func runVerify(ctx context.Context, _ []string) error {
	settings := &config.Verify{}
	s, err := dial(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer s.Close()
	var course report.Course
	counts, ended := await(ctx, s, settings, &course)
	if ended != nil && !errors.Is(ended, errUnfinished) && !errors.Is(ended, dispatch.ErrUnseeded) {
		return ended
	}
	conclusion := course.Conclude(counts, settings.MaxDead.Portion)
	if conclusion.State == report.StateDone && ended != nil {
		return ended // no item is left, but no worker has said whether there is a last step
	}
	if err := s.report(ctx, counts, settings.MaxDead.Portion, conclusion); err != nil {
		return err
	}
	if code := stateCodes[conclusion.State]; code != exitOK {
		return codeError{code, ended}
	}
	return nil
}

// report prints the report on the run.
func (s *session) report(ctx context.Context, counts queue.Counts, maxDead queue.Portion, conclusion report.Conclusion) error {
	var dead report.Dead
	err := s.retry(ctx, func(ctx context.Context) (err error) {
		dead, err = report.ReadDead(ctx, s.Queue)
		return err
	})
	if err != nil {
		return err
	}
	return report.Print(os.Stdout, s.Name, counts, maxDead, dead, conclusion)
}

// await waits until the run has ended, or cannot go on.
func await(ctx context.Context, s *session, settings *config.Verify, course *report.Course) (queue.Counts, error) {
	began := time.Now()
	printed := began
	for {
		counts, err := s.counts(ctx)
		if err != nil {
			return counts, err
		}
		course.Saw(counts)
		// Nobody knows of a last step before a worker has called, and without items a run looks drained from its seeding on.
		if report.Ended(counts) && !counts.LastCall.IsZero() {
			return counts, nil
		}
		var noRun error
		if !course.Existed() { // a run of the schedule may begin at any time
			if noRun = s.openLatest(ctx); noRun != nil && !errors.Is(noRun, errNoRun) {
				return counts, noRun
			}
		}
		if time.Since(printed) > verifyProgress {
			printed = time.Now()
			fmt.Println(course.Progress(settings.MaxDead.Portion))
		}
		switch waited := time.Since(began); {
		case min(waited, counts.Now.Sub(counts.LastCall)) > verifyBroken && course.Conclude(counts, settings.MaxDead.Portion).State == report.StateBroken:
			return counts, nil
		case waited > settings.Timeout:
			if counts.LastCall.IsZero() {
				return counts, cmp.Or(noRun, errNoWorker)
			}
			return counts, errUnfinished
		case !counts.Exists && (course.Existed() || settings.SeedTimeout > 0 && waited > settings.SeedTimeout):
			return counts, dispatch.ErrUnseeded
		}
		select {
		case <-ctx.Done():
			return counts, ctx.Err()
		case <-time.After(verifyPoll):
		}
	}
}
