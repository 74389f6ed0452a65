package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
)

func runPurge(ctx context.Context, args []string) error {
	settings := &config.Purge{}
	log, err := load(settings, &settings.Common)
	if err != nil {
		return err
	}
	var match config.Pattern
	if len(args) == 1 { // the whole name: a part of one is in the names of others' queues too soon
		args = []string{"^(?:" + args[0] + ")$"}
	}
	if err := matchArgument(&match, args); err != nil {
		return err
	}
	if err := purge(ctx, settings, match, log); err != nil {
		// The one who reads this wants to uninstall a release, and Redis may be gone for good.
		return fmt.Errorf("%w; queues may be left, those of runs that have ended until their retention is over "+
			"(to uninstall without this: helm uninstall --no-hooks)", err)
	}
	return nil
}

func purge(ctx context.Context, settings *config.Purge, match config.Pattern, log *slog.Logger) error {
	client, err := redisclient.Connect(ctx, settings.Common, log)
	if err != nil {
		return err
	}
	defer client.Close()
	// What an unanswered try has deleted is not there for the next, so that all may be done again.
	deleted := 0
	err = redisclient.Retry(ctx, settings.RedisUnreachableTimeout, log, func(ctx context.Context) error {
		names := []string{settings.Queue}
		if match.Regexp != nil {
			var err error
			if names, err = queue.Names(ctx, client); err != nil {
				return err
			}
		}
		for _, name := range names {
			if !match.Matches(name) {
				continue
			}
			keys, err := queue.New(client, name).Purge(ctx)
			if err != nil {
				return err
			}
			if keys > 0 {
				deleted++
				fmt.Printf("queue %s is deleted\n", name)
			}
		}
		return nil
	})
	if err == nil && deleted == 0 {
		fmt.Println("there was no such queue")
	}
	return err
}
