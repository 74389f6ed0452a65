package main

import (
	"context"
	"fmt"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/monitor"
)

var monitorVerb = verb{
	name:     "monitor",
	summary:  "serve a page that shows the run",
	settings: func() any { return &config.Monitor{} },
	examples: []string{
		"WQ_QUEUE=jobs worker monitor",
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runMonitor,
}

func runMonitor(ctx context.Context, _ []string) error {
	settings := &config.Monitor{}
	s, err := dial(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer s.Close()
	server := &monitor.Server{
		Redis:   s.client,
		Queue:   settings.Queue,
		MaxDead: settings.MaxDead.Portion,
		Actions: settings.Actions,
		Pods:    settings.Pods,
		Token:   settings.Token,
		Log:     s.log,
	}
	if err := server.Run(ctx, string(settings.Listen)); err != nil {
		return configError{fmt.Errorf("WQ_MONITOR_ADDR: %w", err)}
	}
	return nil
}
