package main

import (
	"context"
	"fmt"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
)

func runPause(ctx context.Context, _ []string) error {
	return pause(ctx, (*queue.Queue).Pause, func(c queue.Counts) {
		fmt.Printf("the queue is paused: no more items are leased until worker resume; %d are running\n", c.Leased)
	})
}

func runResume(ctx context.Context, _ []string) error {
	return pause(ctx, (*queue.Queue).Resume, func(c queue.Counts) {
		fmt.Printf("the queue is not paused: its %d open items are leased to workers\n", c.Open())
	})
}

// pause pauses or resumes the queue and prints what that means.
func pause(ctx context.Context, do func(*queue.Queue, context.Context) error, say func(queue.Counts)) error {
	settings := &config.Common{}
	s, err := open(ctx, settings, settings)
	if err != nil {
		return err
	}
	defer s.Close()
	counts, err := s.existing(ctx)
	if err != nil {
		return err
	}
	if err := s.retry(ctx, func(ctx context.Context) error { return do(s.Queue, ctx) }); err != nil {
		return err
	}
	say(counts)
	return nil
}
