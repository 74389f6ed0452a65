package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/text"
)

func runPurge(ctx context.Context, args []string) error {
	settings := &config.Purge{}
	s, err := start(settings, &settings.Common)
	if err != nil {
		return err
	}
	if _, each := settings.EachRun(); each && len(args) == 0 {
		return configError{fmt.Errorf("WQ_QUEUE: %q stands for all runs of a schedule; say which are to be deleted: worker purge PATTERN", settings.Queue)}
	}
	var match config.Pattern
	if len(args) == 1 { // the whole name: a part of one is too easily in the names of others' queues
		args = []string{"^(?:" + args[0] + ")$"}
	}
	if err := parsePattern(&match, args); err != nil {
		return err
	}
	if err := purge(ctx, s, settings, match); err != nil {
		return fmt.Errorf("%w; queues may be left, those of ended runs until their retention is over "+
			"(to uninstall without purging: helm uninstall --no-hooks)", err)
	}
	return nil
}

func purge(ctx context.Context, s *session, settings *config.Purge, match config.Pattern) error {
	client, err := redisclient.Connect(ctx, *s.common, s.log)
	if err != nil {
		return err
	}
	defer client.Close()
	deleted := 0
	err = s.retry(ctx, func(ctx context.Context) error {
		names := []string{s.common.Queue}
		if match.Regexp != nil {
			var err error
			if names, err = queue.Names(ctx, client); err != nil {
				return err
			}
		}
		for _, name := range names {
			q := queue.New(client, name)
			if !match.Matches(name) {
				if ours, err := isFormer(ctx, q, settings); err != nil {
					return err
				} else if !ours {
					continue
				}
			}
			keys, err := q.Purge(ctx)
			if err != nil {
				return err
			}
			if keys > 0 {
				deleted++
				fmt.Println(text.Printable(fmt.Sprintf("queue %s is deleted", name)))
			}
		}
		return nil
	})
	if err == nil && deleted == 0 {
		fmt.Println("there was no such queue")
	}
	return err
}

// isFormer reports whether the queue was the release's under a former name, and still is: another release may have taken the name.
// To delete that one's items would be a loss, and to leave a queue too many only takes memory.
func isFormer(ctx context.Context, q *queue.Queue, settings *config.Purge) (bool, error) {
	if !slices.Contains(settings.FormerQueues, q.Name) {
		return false, nil
	}
	release, err := q.Release(ctx)
	if err != nil && !redis.IsPermissionError(err) { // the ACL user of another queue.name may know this one only
		return false, err
	}
	switch release {
	case "":
		fmt.Println(text.Printable(fmt.Sprintf("queue %s is left: nothing tells whose it is", q.Name)))
	case settings.Release:
		return true, nil
	default:
		fmt.Println(text.Printable(fmt.Sprintf("queue %s is left: it belongs to the release %s now", q.Name, release)))
	}
	return false, nil
}
