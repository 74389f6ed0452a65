package main

import (
	"context"
	"fmt"
	"time"

	"github.com/workqueue/workqueue/test/bench/internal/peer"
	"github.com/workqueue/workqueue/worker/queue"
)

const (
	loadWorkers = 50
	loadItem    = time.Millisecond
)

// Load is the result of one large run by many workers.
type Load struct {
	Queues  int     `json:"queues"` // that share the items and the workers evenly
	Items   int     `json:"items"`
	Seconds float64 `json:"seconds"`
	Memory  float64 `json:"memory"`      // of Redis with all items waiting, bytes
	Peak    float64 `json:"memory_peak"` // of Redis at any time, bytes
	Calls   Calls   `json:"calls"`
}

// measureLoad runs the items through one queue, and through ten at once in the same Redis.
func measureLoad(ctx context.Context, s *server, sizes scale) ([]*Load, error) {
	var all []*Load
	for _, queues := range []int{1, 10} {
		if err := s.flush(ctx); err != nil {
			return nil, err
		}
		m, err := loadRun(ctx, s, queues, sizes.loadItems)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func loadRun(ctx context.Context, s *server, number, items int) (*Load, error) {
	m := &Load{Queues: number, Items: items}
	var queues []*queue.Queue
	for i := range number {
		q := queue.New(s.client, fmt.Sprint("load", i))
		seeder := q.NewSeeder("load")
		for j := range items / number {
			if err := seeder.Add(ctx, peer.Payload(j)); err != nil {
				return nil, err
			}
		}
		if _, _, err := seeder.Publish(ctx, true); err != nil {
			return nil, err
		}
		queues = append(queues, q)
	}
	before, err := s.info(ctx)
	if err != nil {
		return nil, err
	}
	m.Memory = before.number("used_memory")

	var hosts []*host
	defer func() {
		for _, h := range hosts {
			h.kill()
		}
	}()
	started := time.Now()
	for _, q := range queues {
		h, err := startHost(ctx, s, loadWorkers/number, q.Name, loadItem)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
		if err := h.begin(); err != nil {
			return nil, err
		}
	}
	for _, q := range queues {
		if err := drained(ctx, q, items/number); err != nil {
			return nil, err
		}
	}
	m.Seconds = time.Since(started).Seconds()
	after, err := s.info(ctx)
	if err != nil {
		return nil, err
	}
	m.Peak = after.number("used_memory_peak")
	m.Calls.PerSecond = (after.calls() - before.calls()) / m.Seconds
	m.Calls.RedisCPU = (after.cpu() - before.cpu()) / m.Seconds
	if err := m.Calls.end(hosts); err != nil {
		return nil, err
	}
	hosts = nil
	return m, nil
}

// drained waits for the end of a queue, and checks its accounts.
func drained(ctx context.Context, q *queue.Queue, items int) error {
	for deadline := time.Now().Add(runLimit); ; time.Sleep(50 * time.Millisecond) {
		counts, err := q.Counts(ctx)
		switch {
		case err != nil:
			return err
		case counts.Drained() && counts.Consistent() && counts.Done == items:
			return nil
		case counts.Drained() || time.Now().After(deadline):
			return fmt.Errorf("queue %s, of %d items: %+v", q.Name, items, counts)
		}
	}
}
