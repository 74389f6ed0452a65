// Asynq is github.com/hibiken/asynq with a handler that does nothing.
package main

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/test/bench/internal/peer"
)

func main() { peer.Main(map[string]peer.Verb{"seed": seed, "drain": drain}) }

// seed enqueues from a few goroutines, one item a call: asynq has no bulk call.
func seed(_ context.Context, client *redis.Client, items int) (peer.Result, error) {
	enqueuer := asynq.NewClientFromRedisClient(client)
	var group sync.WaitGroup
	var failed atomic.Value
	const producers = 8
	for p := range producers {
		group.Go(func() {
			for i := p; i < items; i += producers {
				if _, err := enqueuer.Enqueue(asynq.NewTask("bench", []byte(peer.Payload(i)))); err != nil {
					failed.Store(err)
					return
				}
			}
		})
	}
	group.Wait()
	err, _ := failed.Load().(error)
	return peer.Result{Items: items}, err
}

func drain(_ context.Context, client *redis.Client, items int) (peer.Result, error) {
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: peer.Number("BENCH_CONCURRENCY"),
		LogLevel:    asynq.ErrorLevel,
	})
	var started, ended time.Time
	var n atomic.Int64
	done := make(chan struct{})
	err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		switch n.Add(1) {
		case 1:
			started = time.Now()
		case int64(items):
			ended = time.Now()
			close(done)
		}
		return nil
	}))
	if err != nil {
		return peer.Result{}, err
	}
	<-done
	server.Shutdown()
	return peer.Result{Items: items, Seconds: ended.Sub(started).Seconds(), Version: version()}, nil
}

// version is the module version that this program was built with.
func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/hibiken/asynq" {
			return module.Version
		}
	}
	return ""
}
