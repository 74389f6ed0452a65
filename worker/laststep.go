package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

// newLastStep returns the last step that the settings ask for, nil if they ask for none. Its program reads the results from standard
// input and the counts from variables.
func newLastStep(s *session, settings *config.Work) *dispatch.LastStep {
	if len(settings.Finally) == 0 {
		return nil
	}
	command := &handler.Command{Args: settings.Finally, Timeout: settings.FinallyTimeout, KillAfter: settings.KillAfter, Log: s.log,
		Output: &process.Output{Format: settings.Output, Out: os.Stdout, Err: os.Stderr}}
	return &dispatch.LastStep{MaxAttempts: settings.FinallyAttempts, Run: func(ctx context.Context, number int) handler.Attempt {
		counts, err := s.counts(ctx)
		if err != nil {
			return handler.Attempt{Outcome: queue.OutcomeFailed, Reason: err.Error()}
		}
		stdin, results := io.Pipe()
		written := make(chan error, 1)
		go func() {
			err := writeResults(ctx, s, results)
			_ = results.CloseWithError(err)
			written <- err
		}()
		attempt := command.Once(ctx, "last step", stdin, append(runVariables(counts), "WQ_ATTEMPT="+strconv.Itoa(number)))
		_ = stdin.Close()
		// A program need not read all results. But one that exits with 0 after a part of them must not count as done.
		if err := <-written; err != nil && !errors.Is(err, io.ErrClosedPipe) && attempt.Outcome == queue.OutcomeDone {
			attempt.Outcome, attempt.Reason = queue.OutcomeFailed, "the results could not be read: "+err.Error()
		}
		return attempt
	}}
}

// writeResults writes all results as lines of JSON, ordered by the IDs of their items.
func writeResults(ctx context.Context, s *session, out io.Writer) error {
	buffer := bufio.NewWriter(out)
	l := &lister{session: s, records: s.Records(queue.KindResults), out: record.NewWriter(record.FormatJSONL, buffer)}
	return errors.Join(l.byID(ctx), l.out.Flush(), buffer.Flush())
}

// runVariables returns the environment variables about a run.
func runVariables(c queue.Counts) []string {
	state := "drained"
	if c.Stopped {
		state = "stopped"
	}
	variables := []string{"WQ_RUN_STATE=" + state}
	for _, v := range []struct {
		name  string
		count int
	}{
		{"WQ_RUN_ITEMS", c.Total()}, {"WQ_RUN_DONE", c.Done}, {"WQ_RUN_DEAD", c.Dead}, {"WQ_RUN_OPEN", c.Open()}, {"WQ_RUN_FAILED", c.Failed},
	} {
		variables = append(variables, v.name+"="+strconv.Itoa(v.count))
	}
	return variables
}
