package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/monitor"
	"github.com/workqueue/workqueue/worker/report"
	"github.com/workqueue/workqueue/worker/text"
)

var runsVerb = verb{
	name:     "runs",
	summary:  "list the runs of the release that are still in Redis",
	help:     "Without WQ_QUEUE it lists all queues in Redis.",
	settings: func() any { return &config.Runs{} },
	examples: []string{
		"kubectl exec deploy/fruits-monitor -- worker runs",
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runRuns,
}

func runRuns(ctx context.Context, _ []string) error {
	if os.Getenv("WQ_QUEUE") == "" {
		_ = os.Setenv("WQ_QUEUE", monitor.EveryQueue)
	}
	settings := &config.Runs{}
	s, err := start(settings, &settings.Common)
	if err != nil {
		return err
	}
	if err := s.hurry().connect(ctx); err != nil {
		return err
	}
	defer s.Close()
	var runs []monitor.Run
	err = s.retry(ctx, func(ctx context.Context) (err error) {
		runs, err = monitor.Runs(ctx, s.client, settings.Queue, settings.MaxDead.Portion)
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
			duration = report.Duration(time.Duration(run.Seconds * float64(time.Second)))
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", text.Line(run.Queue, len(run.Queue)), run.State, run.Total, run.Items["done"], run.Items["dead"], started, duration)
	}
	return table.Flush()
}
