package main

import (
	"context"

	"github.com/workqueue/workqueue/worker/queue"
)

func runRecords(ctx context.Context, args []string) error { return list(ctx, queue.KindHistory, args) }
