// Lpop is the upper bound: a plain list, filled with pipelined RPUSH and emptied with LPOP COUNT, without any safety.
package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/test/bench/internal/peer"
)

const (
	chunk    = 1000 // values per RPUSH and LPOP
	inFlight = 16   // RPUSHes per round trip; more gains nothing
)

func main() { peer.Main(map[string]peer.Verb{"seed": seed, "drain": drain, "each": each}) }

func seed(ctx context.Context, client *redis.Client, items int) (peer.Result, error) {
	payloads := peer.Payloads(items)
	started := time.Now()
	pipe := client.Pipeline()
	for len(payloads) > 0 {
		n := min(len(payloads), chunk)
		values := make([]any, n)
		for i, p := range payloads[:n] {
			values[i] = p
		}
		payloads = payloads[n:]
		pipe.RPush(ctx, peer.Queue, values...)
		if pipe.Len() == inFlight || len(payloads) == 0 {
			if _, err := pipe.Exec(ctx); err != nil {
				return peer.Result{}, err
			}
		}
	}
	return peer.Result{Items: items, Seconds: time.Since(started).Seconds()}, nil
}

func drain(ctx context.Context, client *redis.Client, items int) (peer.Result, error) {
	if err := client.Ping(ctx).Err(); err != nil {
		return peer.Result{}, err
	}
	started := time.Now()
	for n := 0; n < items; {
		popped, err := client.LPopCount(ctx, peer.Queue, chunk).Result()
		if err != nil {
			return peer.Result{}, err
		}
		n += len(popped)
	}
	return peer.Result{Items: items, Seconds: time.Since(started).Seconds()}, nil
}

// each takes items one by one from the list BENCH_QUEUE, and runs the sleeper beside this program for each.
func each(ctx context.Context, client *redis.Client, _ int) (peer.Result, error) {
	sleeper := filepath.Join(filepath.Dir(os.Args[0]), "sleeper")
	for n := 0; ; n++ {
		item, err := client.LPop(ctx, os.Getenv("BENCH_QUEUE")).Result()
		if errors.Is(err, redis.Nil) {
			return peer.Result{Items: n}, nil
		}
		if err != nil {
			return peer.Result{}, err
		}
		cmd := exec.CommandContext(ctx, sleeper, "one", item)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return peer.Result{}, err
		}
	}
}
