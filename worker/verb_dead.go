package main

import (
	"context"
	"github.com/workqueue/workqueue/worker/config"

	"github.com/workqueue/workqueue/worker/queue"
)

var deadVerb = verb{
	name:     "dead",
	summary:  "print the dead letters: which items are dead, and why",
	operands: "[PATTERN]",
	help:     "Without a pattern it takes all of them. The pattern is a regular expression that is looked for in the item. A terminal gets a table that is cut to its width; WQ_FORMAT=jsonl prints everything.",
	settings: func() any { return &config.List{} },
	examples: []string{
		"kubectl exec deploy/fruits-monitor -- worker dead",
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runDead,
}

func runDead(ctx context.Context, args []string) error { return list(ctx, queue.KindDead, args) }
