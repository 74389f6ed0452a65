package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/text"
)

var purgeVerb = verb{
	name:     "purge",
	summary:  "delete a queue and all its records",
	operands: "NAME",
	help:     "NAME is the name of a queue, as runs lists it, or a regular expression for whole names. This cannot be undone.",
	settings: func() any { return &config.Purge{} },
	examples: []string{
		"kubectl exec deploy/fruits-monitor -- worker purge fruits-1f0c5a9e12",
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runPurge,
}

func runPurge(ctx context.Context, args []string) error {
	if os.Getenv("WQ_QUEUE") == "" {
		_ = os.Setenv("WQ_QUEUE", args[0])
	}
	settings := &config.Purge{}
	s, err := start(settings, &settings.Common)
	if err != nil {
		return err
	}
	match, err := wholeName(args[0])
	if err != nil {
		return err
	}
	if err := purge(ctx, s, settings, match); err != nil {
		return fmt.Errorf("%w; queues may be left, those of ended runs until their retention is over "+
			"(to uninstall without purging: helm uninstall --no-hooks)", err)
	}
	return nil
}

// plainName is a name without anything that only a regular expression has. A dot in it is a dot.
var plainName = regexp.MustCompile(`^[\w.:/-]+$`)

// wholeName returns a regular expression for the whole names of queues: a part of one is too easily in the names of others' queues.
func wholeName(name string) (*regexp.Regexp, error) {
	if plainName.MatchString(name) {
		name = regexp.QuoteMeta(name)
	}
	match, err := regexp.Compile("^(?:" + name + ")$")
	if err != nil {
		return nil, usageError(fmt.Sprintf("%q is neither the name of a queue nor %s", name, (&config.Pattern{}).Expected()))
	}
	return match, nil
}

func purge(ctx context.Context, s *session, settings *config.Purge, match *regexp.Regexp) error {
	client, err := redisclient.Connect(ctx, *s.common, s.log)
	if err != nil {
		return err
	}
	defer client.Close()
	deleted := 0
	err = s.retry(ctx, func(ctx context.Context) error {
		names, err := queue.Names(ctx, client)
		if err != nil {
			return err
		}
		for _, name := range names {
			q := queue.New(client, name)
			if !match.MatchString(name) {
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
		fmt.Println(text.Printable(fmt.Sprintf("queue %s is kept: its release is unknown", q.Name)))
	case settings.Release:
		return true, nil
	default:
		fmt.Println(text.Printable(fmt.Sprintf("queue %s is kept: it belongs to the release %s now", q.Name, release)))
	}
	return false, nil
}
