package main

import (
	"context"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/monitor"
	"github.com/workqueue/workqueue/worker/redisclient"
)

func runMonitor(ctx context.Context, _ []string) error {
	settings := &config.Monitor{}
	log, err := load(settings, &settings.Common)
	if err != nil {
		return err
	}
	client, err := redisclient.Connect(ctx, settings.Common, log)
	if err != nil {
		return err
	}
	defer client.Close()
	server := &monitor.Server{
		Redis:   client,
		Queue:   settings.Queue,
		MaxDead: settings.MaxDead,
		Actions: settings.Actions,
		Token:   settings.Token,
		Log:     log,
	}
	return server.Run(ctx, settings.Listen)
}
