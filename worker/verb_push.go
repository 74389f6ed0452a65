package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/source"
)

const (
	pushItems = 1000    // items in one call to Redis
	pushBytes = 1 << 20 // payload bytes in one call, about
)

func runPush(ctx context.Context, _ []string) error {
	settings := &config.Push{}
	q, log, err := openFor(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer q.Close()
	p := &pusher{queue: q.Queue, timeout: settings.RedisUnreachableTimeout, log: log}
	lines := source.NewLines(os.Stdin, byte(settings.Delimiter))
	err = lines.Each(func(payload string) error {
		// What has come is not kept waiting for what may come: a pipe is followed as it flows.
		return p.add(ctx, payload, !lines.More())
	})
	if err == nil {
		err = p.flush(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w; %d items were pushed, %d after them perhaps", err, p.pushed, len(p.waiting))
	}
	fmt.Printf("%d items are in the queue\n", p.pushed)
	counts, err := readCounts(ctx, q.Queue, settings.Common, log)
	switch {
	case err != nil:
		return err
	case !counts.Exists:
		log.Warn("the queue was never seeded: workers wait until it is, or until it is sealed (worker seal)")
	default:
		tellIfEnded(counts, log)
	}
	return nil
}

// pusher gathers items into calls.
type pusher struct {
	queue   *queue.Queue
	timeout time.Duration
	log     *slog.Logger
	waiting []string
	bytes   int
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
	// A call without an answer may have had its effect. By its name, a second one then has none.
	name := rand.Text()
	err := redisclient.Retry(ctx, p.timeout, p.log, func(ctx context.Context) error {
		return p.queue.Push(ctx, name, p.waiting...)
	})
	if err != nil {
		return err
	}
	p.pushed += len(p.waiting)
	p.waiting, p.bytes = p.waiting[:0], 0
	return nil
}

func runSeal(ctx context.Context, _ []string) error {
	settings := &config.Seal{}
	q, log, err := openFor(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer q.Close()
	var counts queue.Counts
	err = redisclient.Retry(ctx, settings.RedisUnreachableTimeout, log, func(ctx context.Context) (err error) {
		if counts, err = q.Counts(ctx); err != nil {
			return err
		}
		if !counts.Exists && counts.Ready == 0 {
			// To seal what is not there would turn lost data into a run that ended well.
			return errors.New("there is no such queue: seed it, or push items into it, before it is sealed")
		}
		return q.Seal(ctx)
	})
	if err != nil {
		return err
	}
	fmt.Printf("the queue is sealed, with %d items: once they are done, the run is over\n", counts.Total())
	return nil
}
