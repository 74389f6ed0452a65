package main

import (
	"context"
	"fmt"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/report"
)

var pauseVerb = verb{
	name:     "pause",
	summary:  "lease no more items until resume",
	help:     "Items that run go on to their end.",
	settings: func() any { return &config.Common{} },
	examples: []string{
		"kubectl exec deploy/fruits-monitor -- worker pause",
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runPause,
}

var resumeVerb = verb{
	name:     "resume",
	summary:  "lease items again, after pause",
	settings: func() any { return &config.Common{} },
	examples: []string{
		"kubectl exec deploy/fruits-monitor -- worker resume",
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runResume,
}

func runPause(ctx context.Context, _ []string) error {
	counts, err := change(ctx, func(ctx context.Context, s *session) error { return s.retry(ctx, s.Pause) })
	if err == nil {
		fmt.Printf("the queue is paused: no more items are leased until worker resume; %s leased\n", report.Counted(counts.Leased, "is", "are"))
	}
	return err
}

func runResume(ctx context.Context, _ []string) error {
	counts, err := change(ctx, func(ctx context.Context, s *session) error { return s.retry(ctx, s.Resume) })
	if err == nil {
		fmt.Printf("the queue goes on: %s leased to workers until worker pause\n", report.Counted(counts.Open(), "open item is", "open items are"))
	}
	return err
}
