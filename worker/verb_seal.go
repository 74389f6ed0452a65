package main

import (
	"context"
	"fmt"

	"github.com/workqueue/workqueue/worker/config"
)

func runSeal(ctx context.Context, _ []string) error {
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
	if err := s.retry(ctx, s.Seal); err != nil {
		return err
	}
	if err := awaitDurable(ctx, s); err != nil {
		return err
	}
	fmt.Printf("the queue is sealed, with %d items: the run ends when none of them is open\n", counts.Total())
	return nil
}
