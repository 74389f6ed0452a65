package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/test/bench/internal/peer"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
)

// crowd runs BENCH_WORKERS workers on the queue BENCH_QUEUE, each with a connection of its own and items that take
// BENCH_ITEM_MS. It goes on until standard input ends, and prints how long each exchange took, in microseconds, from
// the first line on standard input.
func crowd(ctx context.Context, client *redis.Client, _ int) (peer.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	debug.SetGCPercent(-1) // thousands of workers in one process would be busy with their garbage
	debug.SetMemoryLimit(2 << 30)
	var group sync.WaitGroup
	timer := &timer{}
	sleep := sleeper{time.Duration(peer.Number("BENCH_ITEM_MS")) * time.Millisecond}
	for range peer.Number("BENCH_WORKERS") {
		own := redis.NewClient(&redis.Options{Addr: client.Options().Addr, PipelinePoolSize: -1, ReadTimeout: 30 * time.Second}) // one connection, as a worker has
		own.AddHook(timer)
		group.Go(func() {
			defer own.Close()
			_ = newWorker(queue.New(own, os.Getenv("BENCH_QUEUE")), sleep, 30*time.Second).Run(ctx)
		})
	}
	input := bufio.NewScanner(os.Stdin)
	input.Scan()
	timer.reset()
	for input.Scan() {
	}
	text := strings.Trim(fmt.Sprint(timer.micros()), "[]")
	fmt.Println(text)
	cancel()
	group.Wait()
	return peer.Result{}, nil
}

// sleeper sleeps for each item.
type sleeper struct{ each time.Duration }

func (sleeper) MaxItems() int { return 1 }

func (s sleeper) Handle(ctx context.Context, _ []queue.Item, report func(int, handler.Attempt)) {
	outcome := handler.Attempt{Outcome: queue.OutcomeDone, Started: time.Now()}
	select {
	case <-time.After(s.each):
	case <-ctx.Done():
		outcome.Outcome = queue.OutcomeReturned
	}
	outcome.Duration = time.Since(outcome.Started)
	report(0, outcome)
}

// timer is a client hook that measures the calls of scripts. Blocking calls are not measured.
type timer struct {
	mu    sync.Mutex
	taken []int64
}

func (t *timer) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken = nil
}

func (t *timer) micros() []int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taken
}

func (t *timer) DialHook(next redis.DialHook) redis.DialHook { return next }

func (t *timer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		defer t.measure(time.Now(), cmd)
		return next(ctx, cmd)
	}
}

func (t *timer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		defer t.measure(time.Now(), cmds[0])
		return next(ctx, cmds)
	}
}

func (t *timer) measure(started time.Time, cmd redis.Cmder) {
	if cmd.Name() == "evalsha" {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.taken = append(t.taken, time.Since(started).Microseconds())
	}
}
