package main

import (
	"context"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/monitor"
)

func runMonitor(ctx context.Context, _ []string) error {
	settings := &config.Monitor{}
	q, log, err := openFor(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer q.Close()
	server := &monitor.Server{
		Queue:   q.Queue,
		MaxDead: settings.MaxDead,
		Actions: settings.Actions,
		Token:   settings.Token,
		Log:     log,
	}
	return server.Run(ctx, settings.Listen)
}
