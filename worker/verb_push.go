package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
	"github.com/workqueue/workqueue/worker/source"
)

var pushVerb = verb{
	name:     "push",
	summary:  "add the items on standard input to the queue",
	operands: "[FORMAT]",
	help:     "They are one a line, or in the format: csv, tsv, jsonl or lines.",
	settings: func() any { return &config.Push{} },
	examples: []string{
		"kubectl exec -i deploy/fruits-monitor -- worker push < more.txt",
		"kubectl exec -i deploy/fruits-monitor -- worker push csv < more.csv",
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runPush,
}

const (
	pushItems = 1000    // items in one call to Redis
	pushBytes = 1 << 20 // payload bytes in one call, about
)

func runPush(ctx context.Context, args []string) error {
	if len(args) == 1 { // where a pod's variables cannot be changed
		if err := os.Setenv("WQ_ITEMS_FORMAT", args[0]); err != nil {
			return err
		}
	}
	settings := &config.Push{}
	s, err := open(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer s.Close()
	p := &pusher{session: s, queue: s.NewPusher()}
	list := source.NewList(os.Stdin, settings.Layout())
	err = list.Each(func(payload string) error {
		// An item is not kept waiting for the next one: a pipe is followed as it flows.
		return p.add(ctx, payload, !list.More())
	})
	if wrong := (*source.LineError)(nil); errors.As(err, &wrong) {
		pushed := "nothing was pushed"
		if p.read > 0 {
			pushed = report.Counted(p.read, "item was pushed, and none after it", "items were pushed, and none after them")
		}
		return fmt.Errorf("standard input: %w; %s", err, pushed)
	}
	if err == nil {
		err = p.flush(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w; %s pushed, and perhaps the %d after them", err, report.Counted(p.read, "item was", "items were"), len(p.waiting))
	}
	_ = p.queue.Close(ctx) // what is left behind expires
	fmt.Println(report.Counted(p.pushed, "item was", "items were"), "added to the queue")
	if again := p.read - p.pushed; again > 0 {
		fmt.Println(report.Counted(again, "item was left out, because this run has had it", "items were left out, because this run has had them"))
	}
	counts, err := s.counts(ctx)
	switch {
	case err != nil:
		return err
	case !counts.Exists:
		s.log.Warn("the queue was never seeded: workers wait until it is, or until it is sealed (worker seal)")
	default:
		s.warnIfEnded(counts)
	}
	return nil
}

// pusher gathers items into calls.
type pusher struct {
	session *session
	queue   *queue.Pusher
	waiting []string
	bytes   int
	read    int // items that were pushed, or left out because the run has had them
	pushed  int
}

func (p *pusher) add(ctx context.Context, payload string, now bool) error {
	p.waiting = append(p.waiting, payload)
	p.bytes += len(payload)
	if !now && len(p.waiting) < pushItems && p.bytes < pushBytes {
		return nil
	}
	return p.flush(ctx)
}

func (p *pusher) flush(ctx context.Context) error {
	if len(p.waiting) == 0 {
		return nil
	}
	// A call whose reply is lost may have had its effect. Its repetition then has none.
	push := p.queue.Push
	appended := 0
	err := p.session.retry(ctx, func(ctx context.Context) (err error) {
		appended, err = push(ctx, p.waiting...)
		push = p.queue.Repeat
		return err
	})
	if err != nil {
		return err
	}
	p.read += len(p.waiting)
	p.pushed += appended
	p.waiting, p.bytes = p.waiting[:0], 0
	return nil
}
