// Lpop is the floor of physics: a plain list, filled with pipelined RPUSH and emptied with LPOP COUNT, with no safety
// whatever.
package main

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/test/bench/internal/peer"
)

const (
	chunk    = 1000 // values per RPUSH and LPOP
	inFlight = 16   // RPUSHes per round trip; more gains nothing
)

func main() { peer.Main(map[string]peer.Verb{"seed": seed, "drain": drain}) }

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
