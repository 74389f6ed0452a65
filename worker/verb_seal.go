package main

import (
	"context"
	"fmt"
	"github.com/workqueue/workqueue/worker/config"

	"github.com/workqueue/workqueue/worker/report"
)

var sealVerb = verb{
	name:     "seal",
	summary:  "close the queue: no more items will be added",
	help:     "The run ends when no item is open. This cannot be undone.",
	settings: func() any { return &config.Common{} },
	examples: []string{
		"kubectl exec deploy/fruits-monitor -- worker seal",
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runSeal,
}

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
