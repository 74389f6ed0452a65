package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/fields"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/handler/stream"
	"github.com/workqueue/workqueue/worker/metrics"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
	"github.com/workqueue/workqueue/worker/text"
)

var workVerb = verb{
	name:     "work",
	summary:  "lease, run and acknowledge items until the queue is drained",
	help:     "What it runs is WQ_COMMAND; with WQ_PRINT_ITEMS=true it prints Working on <item> for each instead. After SIGTERM running items have WQ_GRACE to end.",
	settings: func() any { return &config.Work{} },
	examples: []string{
		`WQ_QUEUE=jobs WQ_COMMAND='["gzip", "{}"]' worker work`,
	},
	codes: []int{exitUnreachable, exitConfig, exitDead, exitVanished, exitStopped},
	run:   runWork,
}

const (
	batchBytes      = 2 << 20 // payload bytes in one batch: what one reply may cost Redis and this worker
	terminationPath = "/dev/termination-log"
)

func runWork(ctx context.Context, _ []string) (err error) {
	settings := &config.Work{}
	w := &dispatch.Worker{}
	defer func() { writeTermination(terminationPath, w.Stats(), err) }()
	s, err := start(settings, &settings.Common)
	if err != nil {
		return err
	}
	limitMemory(settings.Concurrency)
	if address := string(settings.MetricsAddr); address != "" {
		server, err := metrics.Serve(address, s.log, func(out http.ResponseWriter, _ *http.Request) {
			w.ServeMetrics(out, settings.Queue)
		})
		if err != nil {
			return configError{fmt.Errorf("WQ_METRICS_ADDR: %w", err)}
		}
		defer func() { _ = server.Close() }()
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	defer s.Close()

	w.Queue = s.Queue
	w.Handler = newHandler(settings, s.log)
	w.Log = s.log
	w.LastStep = newLastStep(s, settings)
	w.Name = dispatch.NewName(settings.HostName())
	w.Policy = newPolicy(settings)
	described, err := json.Marshal(config.Describe(settings))
	if err != nil {
		return err
	}
	w.Settings, w.Release = string(described), settings.Release
	if c, ok := w.Handler.(io.Closer); ok {
		defer c.Close()
	}
	s.log.Info("worker starts", "session", w.Name, "queue", settings.Queue)
	counts, err := s.counts(ctx)
	if err != nil {
		return err
	}
	s.log.Info("initial queue state", "empty", counts.Open() == 0, "ready", counts.Ready, "leased", counts.Leased,
		"done", counts.Done, "dead", counts.Dead, "sealed", counts.Sealed)

	err = w.Run(ctx)

	stats := w.Stats()
	s.log.Info("worker ends", "done", stats.Done, "failed", stats.Failed, "dead", stats.Dead, "snoozed", stats.Snoozed,
		"returned", stats.Returned, "lost", stats.Lost, "reason", ending(err))
	if err != nil {
		return err
	}
	if counts, err = s.counts(ctx); err != nil {
		return err
	}
	s.log.Info("the queue is drained", "done", counts.Done, "dead", counts.Dead, "of", counts.Total())
	maxDead := settings.MaxDead.Portion
	switch {
	case !counts.Consistent():
		return codeError{exitVanished, errors.New(report.Conclude(counts, maxDead).Text)}
	case counts.LastStep == queue.LastStepDead:
		return codeError{exitDead, errors.New(report.Conclude(counts, maxDead).Text)}
	case counts.Dead > maxDead.Of(counts.Total()):
		return deadError{counts.Dead, maxDead.Of(counts.Total())}
	}
	return nil // the queue was drained, whatever somebody has added since
}

func newPolicy(settings *config.Work) dispatch.Policy {
	policy := dispatch.Policy{
		Slots:              settings.Concurrency,
		Fill:               1,
		MaxAttempts:        settings.MaxAttempts,
		Backoff:            dispatch.Backoff{First: settings.Backoff, Max: settings.BackoffMax},
		Grace:              settings.Grace,
		UnreachableTimeout: settings.RedisUnreachableTimeout,
		SeedTimeout:        settings.SeedTimeout,
		Host:               settings.HostName(),
		Node:               settings.Node,
		KillAfter:          settings.KillAfter,
		History:            settings.Record == config.RecordAll,
		Remember:           settings.SkipDone,
		Limits: queue.Limits{
			Lease:      settings.Lease,
			BatchBytes: batchBytes,
			MaxCrashes: settings.MaxCrashes,
			MaxSnoozes: settings.MaxSnoozes,
			Rate:       float64(settings.Rate),
			StopAfter:  settings.StopAfter(),
			MaxDead:    settings.MaxDead.Portion,
			Retention:  settings.Retention,
			Kept:       settings.Cap(),
		},
	}
	switch settings.Mode {
	case config.Batch:
		policy.Fill = settings.BatchSize
	case config.Stream:
		policy.Slots *= settings.InFlight
	}
	return policy
}

func newHandler(settings *config.Work, log *slog.Logger) handler.Handler {
	output := &process.Output{Format: settings.Output, Out: os.Stdout, Err: os.Stderr}
	if len(settings.Command) == 0 {
		return handler.Print{Output: output}
	}
	path, _ := exec.LookPath(settings.Command[0]) // the handler decides what happens to items if there is none
	command := handler.Command{
		Args:        settings.Command,
		Path:        path,
		Timeout:     settings.AttemptTimeout(),
		KillAfter:   settings.KillAfter,
		DeadCodes:   settings.DeadExitCodes,
		SnoozeCodes: settings.SnoozeExitCodes,
		Output:      output,
		Log:         log,
	}
	if settings.Mode != config.Exec {
		command.Args = fields.Command(settings.Command).Literal()
	}
	switch settings.Mode {
	case config.Batch:
		return &handler.Batch{Command: command, Size: settings.BatchSize, Delimiter: settings.Delimiter.Byte(),
			ResultBytes: settings.ResultBytes}
	case config.Stream:
		return &stream.Handler{Command: command, Processes: settings.Concurrency,
			InFlight: settings.InFlight, StartTimeout: settings.StartTimeout,
			ResultBytes: settings.ResultBytes}
	}
	return &handler.Exec{Command: command, Stdin: settings.Input == config.Stdin, ResultBytes: settings.ResultBytes,
		Results: settings.Record != config.RecordFailures}
}

func ending(err error) string {
	switch {
	case err == nil:
		return "the queue is drained"
	case errors.Is(err, context.Canceled):
		return "a signal told it to"
	}
	return err.Error()
}

// writeTermination leaves a line where kubectl describe pod shows it.
func writeTermination(path string, stats dispatch.Stats, err error) {
	file, openErr := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if openErr != nil {
		return // not in a container
	}
	defer file.Close()
	_, _ = io.WriteString(file, terminationMessage(stats, err))
}

// maxTermination is how much of the message the kubelet keeps.
const maxTermination = 4096

func terminationMessage(stats dispatch.Stats, err error) string {
	line := fmt.Sprintf("done %d, failed %d, dead %d, snoozed %d, returned %d: %s", stats.Done, stats.Failed,
		stats.Dead, stats.Snoozed, stats.Returned, ending(err))
	return text.Head(text.Printable(strings.ToValidUTF8(line, "\uFFFD")), maxTermination-1) + "\n"
}
