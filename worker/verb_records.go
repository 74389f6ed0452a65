package main

import (
	"context"
	"github.com/workqueue/workqueue/worker/config"

	"github.com/workqueue/workqueue/worker/queue"
)

var recordsVerb = verb{
	name:     "records",
	summary:  "print a line for each attempt and each cancelled item",
	operands: "[PATTERN]",
	help:     "There is a line for each attempt if WQ_RECORD is all. Without a pattern it takes all of them. The pattern is a regular expression that is looked for in the item. A terminal gets a table that is cut to its width; WQ_FORMAT=jsonl prints everything.",
	settings: func() any { return &config.List{} },
	examples: []string{
		`kubectl exec deploy/fruits-monitor -- worker records '\.pdf$'`,
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runRecords,
}

func runRecords(ctx context.Context, args []string) error { return list(ctx, queue.KindHistory, args) }
