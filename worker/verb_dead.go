package main

import (
	"context"

	"github.com/workqueue/workqueue/worker/queue"
)

func runDead(ctx context.Context, args []string) error { return list(ctx, queue.KindDead, args) }
