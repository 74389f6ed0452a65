package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

func runResults(ctx context.Context, args []string) error {
	settings := &config.Records{}
	s, err := openRecords(ctx, settings, args)
	if err != nil {
		return err
	}
	defer s.Close()
	counts, err := s.counts(ctx)
	if err != nil {
		return err
	}
	if counts.ResultsDropped > 0 {
		s.log.Warn("results are missing: there were more than are kept (WQ_MAX_RESULTS)", "missing", counts.ResultsDropped)
	}
	return printRecords(ctx, s, s.Results, settings.Match)
}

// openRecords opens a session, with the pattern from the arguments or else from WQ_MATCH.
func openRecords(ctx context.Context, settings *config.Records, args []string) (*session, error) {
	s, err := start(settings, &settings.Common)
	if err != nil {
		return nil, err
	}
	if err := parsePattern(&settings.Match, args); err != nil {
		return nil, err
	}
	return s, s.connect(ctx)
}

// parsePattern reads the pattern that a verb has as its only argument, if it has any.
func parsePattern(pattern *config.Pattern, args []string) error {
	if len(args) > 1 {
		return usageError("a verb takes one pattern, a regular expression: put it in quotes")
	}
	if len(args) == 1 {
		if err := pattern.Decode(args[0]); err != nil {
			return usageError(fmt.Sprintf("%q is not %s", args[0], pattern.Expected()))
		}
	}
	return nil
}

// printRecords prints the records of matching items as JSON Lines. While Redis is unreachable it waits, and goes on where it was.
func printRecords(ctx context.Context, s *session, read func(context.Context, func(queue.Record) bool) error, match config.Pattern) error {
	out := bufio.NewWriter(os.Stdout)
	var failed error
	printed, last := false, ""
	err := s.retry(ctx, func(ctx context.Context) error {
		skipping := printed
		return read(ctx, func(r queue.Record) bool {
			if skipping {
				skipping = r.Key != last
				return true
			}
			if match.Matches(r.Payload) {
				failed = record.New(r).Write(out)
			}
			printed, last = true, r.Key
			return failed == nil
		})
	})
	if err == nil {
		err = failed
	}
	if err == nil {
		err = out.Flush()
	}
	return err
}
