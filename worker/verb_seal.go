package main

import (
	"context"
	"fmt"
)

func runSeal(ctx context.Context, _ []string) error {
	counts, err := change(ctx, func(ctx context.Context, s *session) error {
		if err := s.retry(ctx, s.Seal); err != nil {
			return err
		}
		return awaitDurable(ctx, s)
	})
	if err == nil {
		fmt.Printf("the queue is sealed, with %d items: the run ends when none of them is open\n", counts.Total())
	}
	return err
}
