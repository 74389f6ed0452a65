package main

import (
	"context"

	"github.com/workqueue/workqueue/worker/config"
)

func runDead(ctx context.Context, args []string) error {
	settings := &config.Records{}
	s, err := openRecords(ctx, settings, args)
	if err != nil {
		return err
	}
	defer s.Close()
	return printRecords(ctx, s, s.DeadLetters, settings.Match)
}
