// Rediswq-go speaks the protocol of the Kubernetes tutorial's client rediswq.py, in Go: five calls an item.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/test/bench/internal/peer"
)

const (
	processing = peer.Queue + ":processing"
	leasedBy   = peer.Queue + ":leased_by_session:"
	lease      = 10 * time.Second
)

func main() { peer.Main(map[string]peer.Verb{"seed": seed, "drain": drain}) }

func seed(ctx context.Context, client *redis.Client, items int) (peer.Result, error) {
	pipe := client.Pipeline()
	for i := range items {
		pipe.RPush(ctx, peer.Queue, peer.Payload(i))
	}
	_, err := pipe.Exec(ctx)
	return peer.Result{Items: items}, err
}

func drain(ctx context.Context, client *redis.Client, items int) (peer.Result, error) {
	var started, ended time.Time
	n := 0
	for {
		empty, err := empty(ctx, client)
		if err != nil {
			return peer.Result{}, err
		}
		if empty {
			break
		}
		item, err := client.BRPopLPush(ctx, peer.Queue, processing, 2*time.Second).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return peer.Result{}, err
		}
		hash := sha256.Sum224([]byte(item))
		key := leasedBy + hex.EncodeToString(hash[:])
		if err := client.SetEx(ctx, key, "session", lease).Err(); err != nil {
			return peer.Result{}, err
		}
		if n == 0 {
			started = time.Now()
		}
		n++
		if err := client.LRem(ctx, processing, 0, item).Err(); err != nil {
			return peer.Result{}, err
		}
		if err := client.Del(ctx, key).Err(); err != nil {
			return peer.Result{}, err
		}
		ended = time.Now()
	}
	return peer.Result{Items: n, Seconds: ended.Sub(started).Seconds()}, nil
}

func empty(ctx context.Context, client *redis.Client) (bool, error) {
	for _, list := range []string{peer.Queue, processing} {
		n, err := client.LLen(ctx, list).Result()
		if n > 0 || err != nil {
			return false, err
		}
	}
	return true, nil
}
