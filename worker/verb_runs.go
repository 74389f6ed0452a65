package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/monitor"
	"github.com/workqueue/workqueue/worker/redisclient"
)

func runRuns(ctx context.Context, _ []string) error {
	settings := &config.Verify{}
	log, err := load(settings, &settings.Common)
	if err != nil {
		return err
	}
	client, err := redisclient.Connect(ctx, settings.Common, log)
	if err != nil {
		return err
	}
	defer client.Close()
	var runs []monitor.Run
	err = redisclient.Retry(ctx, settings.RedisUnreachableTimeout, log, func(ctx context.Context) (err error) {
		runs, err = monitor.Runs(ctx, client, settings.Queue, settings.MaxDead)
		return err
	})
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "QUEUE\tSTATE\tITEMS\tDONE\tDEAD\tSTARTED\tDURATION")
	for _, run := range runs {
		started, duration := "-", "-"
		if run.Started != nil {
			started = run.Started.UTC().Format(time.RFC3339)
			duration = time.Duration(run.Seconds * float64(time.Second)).Round(time.Millisecond).String()
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", run.Queue, run.State, run.Total, run.Done, run.Dead, started, duration)
	}
	return table.Flush()
}
