package main

import (
	"context"
	"fmt"
)

func runPause(ctx context.Context, _ []string) error {
	counts, err := change(ctx, func(ctx context.Context, s *session) error { return s.retry(ctx, s.Pause) })
	if err == nil {
		fmt.Printf("the queue is paused: no more items are leased until worker resume; %d are leased\n", counts.Leased)
	}
	return err
}

func runResume(ctx context.Context, _ []string) error {
	counts, err := change(ctx, func(ctx context.Context, s *session) error { return s.retry(ctx, s.Resume) })
	if err == nil {
		fmt.Printf("the queue goes on: its %d open items are leased to workers until worker pause\n", counts.Open())
	}
	return err
}
