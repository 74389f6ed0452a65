// Workqueue is this project's own worker with a handler that does nothing. Besides the verbs of every peer it has two that stand
// for the workers of a cluster: crowd and hold.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/test/bench/internal/peer"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
)

func main() {
	// As the verb work does, unless GOGC says otherwise.
	debug.SetMemoryLimit(20 << 20)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	peer.Main(map[string]peer.Verb{"seed": seed, "stream": stream, "drain": drain, "crowd": crowd, "hold": hold})
}

// seed fills and seals the queue. The payloads are made before the clock starts.
func seed(ctx context.Context, client *redis.Client, items int) (peer.Result, error) {
	debug.SetMemoryLimit(math.MaxInt64) // the payloads are the benchmark's
	payloads := peer.Payloads(items)
	return publish(ctx, client, items, func(i int) string { return payloads[i] })
}

// stream does the same, but makes the payloads on the way, so that its memory is the seeder's own.
func stream(ctx context.Context, client *redis.Client, items int) (peer.Result, error) {
	return publish(ctx, client, items, peer.Payload)
}

func publish(ctx context.Context, client *redis.Client, items int, payload func(int) string) (peer.Result, error) {
	started := time.Now()
	seeder := queue.New(client, peer.Queue).NewSeeder("bench")
	for i := range items {
		if err := seeder.Add(ctx, payload(i)); err != nil {
			return peer.Result{}, err
		}
	}
	published, _, err := seeder.Publish(ctx, true)
	if err == nil && !published {
		err = fmt.Errorf("the queue was seeded before")
	}
	return peer.Result{Items: items, Seconds: time.Since(started).Seconds()}, err
}

// drain measures Run up to the call that reports the queue drained, and checks the counts.
func drain(ctx context.Context, client *redis.Client, items int) (peer.Result, error) {
	if err := client.Ping(ctx).Err(); err != nil {
		return peer.Result{}, err
	}
	q := queue.New(client, peer.Queue)
	started := time.Now()
	if err := newWorker(q, noop{}, 30*time.Second).Run(ctx); err != nil {
		return peer.Result{}, err
	}
	seconds := time.Since(started).Seconds()
	counts, err := q.Counts(ctx)
	if err == nil && (!counts.Drained() || !counts.Consistent() || counts.Done != items) {
		err = fmt.Errorf("after %d items: %+v", items, counts)
	}
	return peer.Result{Items: items, Seconds: seconds}, err
}

// newWorker makes a worker with the defaults of the verb work: one slot.
func newWorker(q *queue.Queue, h handler.Handler, lease time.Duration) *dispatch.Worker {
	return &dispatch.Worker{
		Queue:   q,
		Handler: h,
		Log:     slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Name:    dispatch.NewName("bench"),
		Policy: dispatch.Policy{
			Slots:              1,
			Fill:               1,
			MaxAttempts:        3,
			Backoff:            dispatch.Backoff{First: time.Second, Max: 5 * time.Minute},
			Grace:              25 * time.Second,
			UnreachableTimeout: 2 * time.Minute,
			Host:               "bench",
			Limits: queue.Limits{
				Lease:      lease,
				BatchBytes: 4 << 20,
				MaxCrashes: 3,
				StopAfter:  queue.Portion{Items: 100},
				Retention:  168 * time.Hour,
			},
		},
	}
}

// noop does nothing, to as many items at once as the built-in handler takes.
type noop struct{}

func (noop) MaxItems() int { return handler.Print{}.MaxItems() }

func (noop) Handle(_ context.Context, items []queue.Item, report func(int, handler.Attempt)) {
	started := time.Now()
	for i := range items {
		report(i, handler.Attempt{Outcome: queue.OutcomeDone, Started: started})
	}
}
