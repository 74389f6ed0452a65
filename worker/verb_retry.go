package main

import (
	"context"
	"fmt"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
)

func runRetry(ctx context.Context, args []string) error {
	settings := &config.Records{}
	s, err := openRecords(ctx, settings, args)
	if err != nil {
		return err
	}
	defer s.Close()
	before, err := s.counts(ctx)
	if err != nil {
		return err
	}
	var keys []string
	err = s.retry(ctx, func(ctx context.Context) error {
		keys = keys[:0]
		return s.DeadLetters(ctx, func(r queue.Record) bool {
			if settings.Match.Matches(r.Payload) {
				keys = append(keys, r.Key)
			}
			return true
		})
	})
	if err != nil {
		return err
	}
	back := 0
	// A try whose reply was lost may have put items back. They are no longer dead for the next try, so nothing is put back twice.
	err = s.retry(ctx, func(ctx context.Context) error {
		n, err := s.Queue.Retry(ctx, keys)
		back += n
		return err
	})
	fmt.Printf("%d dead items are back in the queue\n", back)
	if back > 0 {
		s.warnIfEnded(before)
	}
	return err
}
