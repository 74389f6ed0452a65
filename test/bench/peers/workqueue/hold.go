package main

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/test/bench/internal/peer"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
)

// hold prints the item that it starts, then holds it until the process is killed. The lease is BENCH_LEASE_MS.
func hold(ctx context.Context, client *redis.Client, _ int) (peer.Result, error) {
	lease := time.Duration(peer.Number("BENCH_LEASE_MS")) * time.Millisecond
	return peer.Result{}, newWorker(queue.New(client, peer.Queue), holder{}, lease).Run(ctx)
}

type holder struct{}

func (holder) MaxItems() int { return 1 }

func (holder) Handle(ctx context.Context, items []queue.Item, report func(int, handler.Attempt)) {
	fmt.Println(items[0].Payload)
	<-ctx.Done()
	report(0, handler.Attempt{Outcome: queue.OutcomeReturned})
}
