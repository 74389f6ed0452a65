package main

import (
	"context"
	"fmt"

	"github.com/workqueue/workqueue/worker/report"
)

func runSeal(ctx context.Context, _ []string) error {
	counts, err := change(ctx, func(ctx context.Context, s *session) error {
		if err := s.retry(ctx, s.Seal); err != nil {
			return err
		}
		return awaitDurable(ctx, s)
	})
	if err == nil {
		fmt.Printf("the queue is sealed, with %s: the run ends when none is open\n", report.Counted(counts.Total(), "item", "items"))
	}
	return err
}
