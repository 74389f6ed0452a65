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
	s, err := start(settings, &settings.Common)
	if err != nil {
		return err
	}
	if err := s.connectRun(ctx); err != nil {
		return err
	}
	defer s.Close()
	p := &pusher{session: s, queue: s.NewPusher()}
	list := source.NewList(source.Interruptible(ctx, os.Stdin), settings.Layout())
	err = list.Each(func(payload string) error {
		// An item is not kept waiting for the next one: a pipe is followed as it flows.
		return p.add(ctx, payload, !list.More())
	})
	if err == nil {
		err = p.flush(ctx)
	}
	wrong := (*source.LineError)(nil)
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("standard input: %w; %s", err, p.soFar())
	case errors.Is(err, context.Canceled):
		return codeError{exitStopped, errors.New("stopped by a signal; " + p.soFar())}
	case err != nil:
		return fmt.Errorf("%w; %s", err, p.soFar())
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
	sent    bool // those that wait were sent, without a reply
	read    int  // items that were pushed, or left out because the run has had them
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

// soFar returns in words how many items are in the queue when an error ends the push.
func (p *pusher) soFar() string {
	switch {
	case p.sent:
		return fmt.Sprintf("%s pushed, and perhaps the %d after them", report.Counted(p.read, "item was", "items were"), len(p.waiting))
	case p.read == 0:
		return "nothing was pushed"
	}
	return report.Counted(p.read, "item was pushed, and none after it", "items were pushed, and none after them")
}

func (p *pusher) flush(ctx context.Context) error {
	if len(p.waiting) == 0 {
		return nil
	}
	// A call whose reply is lost may have had its effect. Its repetition then has none.
	push := p.queue.Push
	appended := 0
	p.sent = true
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
	p.waiting, p.bytes, p.sent = p.waiting[:0], 0, false
	return nil
}
