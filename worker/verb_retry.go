package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
)

var retryVerb = verb{
	name:     "retry",
	summary:  "put dead items back into the queue",
	operands: "[PATTERN]",
	help:     "Without a pattern it takes all of them. The pattern is a regular expression that is looked for in the item. A last step (WQ_FINALLY) that has failed runs again, too, if there is no pattern.",
	settings: func() any { return &config.Records{} },
	examples: []string{
		"kubectl exec deploy/fruits-monitor -- worker retry",
		`kubectl exec deploy/fruits-monitor -- worker retry '\.pdf$'`,
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runRetry,
}

func runRetry(ctx context.Context, args []string) error {
	settings := &config.Records{}
	s, err := openRecords(ctx, settings, settings, args)
	if err != nil {
		return err
	}
	defer s.Close()
	before, err := s.existing(ctx)
	if err != nil {
		return err
	}
	back, found := 0, 0
	// A try whose reply was lost may have put items back. They are no longer dead for the next try, so nothing is put back twice.
	err = s.retry(ctx, func(ctx context.Context) error {
		n, letters, err := retryDead(ctx, s.Queue, settings.Match, before.Now)
		back, found = back+n, found+letters
		return err
	})
	if err == nil && found == 0 && before.Dead > 0 {
		return fmt.Errorf("%s, and no record of it is left: queue.retention was over, so nothing can be put back (to run the list again, upgrade with another value of rerun)",
			report.Counted(before.Dead, "item is dead", "items are dead"))
	}
	if err == nil && before.LastStep == queue.LastStepDead && settings.Match.Regexp == nil {
		if err = s.retry(ctx, s.RetryLastStep); err == nil {
			fmt.Println("the last step (finally) will run again")
		}
	}
	fmt.Println(report.Counted(back, "dead item is", "dead items are") + " back in the queue")
	if back > 0 || before.LastStep == queue.LastStepDead {
		s.warnIfEnded(before)
	}
	return err
}

// retryDead puts the matching items back into the queue that were dead at the given time of Redis's clock, a few at a time. It
// returns how many went back, and how many there were, matching or not.
func retryDead(ctx context.Context, q *queue.Queue, match config.Pattern, at time.Time) (back, letters int, err error) {
	const atOnce = 100
	var keys []string
	var failed error
	putBack := func() {
		var n int
		n, failed = q.Retry(ctx, keys)
		back += n
		keys = keys[:0]
	}
	err = q.DeadLetters(ctx, func(r queue.Record) bool {
		letters++
		if r.Recorded().After(at) { // perhaps an item that was put back a moment ago
			return false
		}
		if match.Matches(r.Payload) {
			keys = append(keys, r.Key)
		}
		if len(keys) == atOnce {
			putBack()
		}
		return failed == nil
	})
	if err == nil && failed == nil {
		putBack()
	}
	return back, letters, errors.Join(err, failed)
}
