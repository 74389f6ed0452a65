package main

import (
	"context"
	"fmt"
	"github.com/workqueue/workqueue/worker/config"
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
