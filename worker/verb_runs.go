package main

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/monitor"
	"github.com/workqueue/workqueue/worker/report"
	"github.com/workqueue/workqueue/worker/terminal"
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
	table := terminal.NewTable(os.Stdout, terminal.Of(os.Stdout), terminal.Column{Name: "QUEUE", Whole: true}, terminal.Column{Name: "STATE", Whole: true},
		terminal.Column{Name: "ITEMS", Whole: true}, terminal.Column{Name: "DONE", Whole: true}, terminal.Column{Name: "DEAD", Whole: true},
		terminal.Column{Name: "STARTED"}, terminal.Column{Name: "DURATION"})
	for _, run := range runs {
		started, duration := "-", "-"
		if run.Started != nil {
			started = run.Started.UTC().Format(time.RFC3339)
			duration = report.Duration(seconds(run.Seconds))
		}
		number := func(n int) terminal.Cell { return terminal.Cell{Text: strconv.Itoa(n)} }
		err := table.Row(terminal.Cell{Text: text.Line(run.Queue, len(run.Queue))}, terminal.Cell{Text: string(run.State), Colour: stateColour(run.State)},
			number(run.Total), number(run.Items["done"]), number(run.Items["dead"]), terminal.Cell{Text: started}, terminal.Cell{Text: duration})
		if err != nil {
			return err
		}
	}
	return table.Flush()
}
