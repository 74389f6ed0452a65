package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/report"
)

var cancelVerb = verb{
	name:     "cancel",
	summary:  "take waiting items out of the queue",
	operands: "[PATTERN]",
	help:     "It takes the items in which the pattern, a regular expression, is found. It needs one, as its argument or in WQ_MATCH; a dot is every item. What runs already runs to its end.",
	settings: func() any { return &config.Cancel{} },
	examples: []string{
		`kubectl exec deploy/fruits-monitor -- worker cancel '\.tmp$'`,
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runCancel,
}

// runCancel takes waiting items out of the queue. It needs a pattern: to cancel everything by a slip of the keyboard is too easy.
func runCancel(ctx context.Context, args []string) error {
	settings := &config.Cancel{}
	s, err := openRecords(ctx, settings, &settings.Records, args)
	if err != nil {
		return err
	}
	defer s.Close()
	if settings.Match.Regexp == nil {
		return usageError("cancel takes a pattern, a regular expression: worker cancel '\\.tmp$'; for every item, worker cancel .")
	}
	before, err := s.existing(ctx)
	if err != nil {
		return err
	}
	// A try whose reply was lost has cancelled items. The next one does not find them any more.
	err = s.retry(ctx, func(ctx context.Context) error {
		return s.Cancel(ctx, settings.Match.Matches, settings.Cap())
	})
	after, countErr := s.counts(ctx)
	if countErr != nil {
		return cmp.Or(err, countErr)
	}
	cancelled := after.Cancelled - before.Cancelled
	switch {
	case err != nil:
		return fmt.Errorf("%w; %s cancelled so far", err, report.Counted(cancelled, "item is", "items are"))
	case cancelled == 0:
		fmt.Println("no waiting item matches")
	case cancelled == 1:
		fmt.Println("1 item is cancelled; worker records lists it")
	case after.HistoryDropped > before.HistoryDropped:
		fmt.Printf("%d items are cancelled; worker records lists the newest (WQ_MAX_RESULTS, WQ_MAX_RECORD_MIB)\n", cancelled)
	default:
		fmt.Printf("%d items are cancelled; worker records lists them\n", cancelled)
	}
	if after.Leased > 0 {
		s.log.Info("leased items are not cancelled: they run to their end", "running", after.Leased)
	}
	return nil
}
