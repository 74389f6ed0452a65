package main

import (
	"context"
	"fmt"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/monitor"
	"github.com/workqueue/workqueue/worker/redisclient"
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
	s, err := start(settings, &settings.Common)
	if err != nil {
		return err
	}
	client := redisclient.Open(*s.common)
	defer client.Close()
	// It listens while it waits for Redis: whoever asks whether it lives would otherwise end it meanwhile.
	serving, stop := context.WithCancel(ctx)
	defer stop()
	unusable := make(chan error, 1)
	go func() {
		if err := redisclient.Await(serving, client, *s.common, s.log); err != nil && serving.Err() == nil {
			unusable <- err
			stop()
		}
	}()
	server := &monitor.Server{
		Redis:   client,
		Queue:   settings.Queue,
		MaxDead: settings.MaxDead.Portion,
		Actions: settings.Actions,
		Pods:    settings.Pods,
		Token:   settings.Token,
		Log:     s.log,
	}
	if err := server.Run(serving, string(settings.Listen)); err != nil {
		return configError{fmt.Errorf("WQ_MONITOR_ADDR: %w", err)}
	}
	select {
	case err := <-unusable:
		return err
	default:
		return nil
	}
}
