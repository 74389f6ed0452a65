package redisclient_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/redistest"
)

// TestPassingStates makes every call of the queue while Redis is in a passing state. Each call succeeds once the state is over.
func TestPassingStates(t *testing.T) {
	t.Parallel()
	limits := queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3}
	_, nobody, _ := net.SplitHostPort(redistest.FreeAddr(t))
	config := func(name, value string) []any { return []any{"CONFIG", "SET", name, value} }
	newPassword := [][]any{config("requirepass", "new"), {"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}}
	for _, state := range []struct {
		name         string
		args         []string
		enter, leave [][]any
	}{
		{name: "READONLY", enter: [][]any{{"REPLICAOF", "127.0.0.1", nobody}}, leave: [][]any{{"REPLICAOF", "NO", "ONE"}}},
		{name: "MASTERDOWN", args: []string{"--replica-serve-stale-data", "no"},
			enter: [][]any{{"REPLICAOF", "127.0.0.1", nobody}}, leave: [][]any{{"REPLICAOF", "NO", "ONE"}}},
		{name: "OOM", enter: [][]any{config("maxmemory", "1")}, leave: [][]any{config("maxmemory", "0")}},
		{name: "NOPERM", enter: [][]any{{"ACL", "SETUSER", "default", "-@all", "+acl"}}, leave: [][]any{{"ACL", "SETUSER", "default", "+@all"}}},
		{name: "NOAUTH", enter: newPassword, leave: [][]any{config("requirepass", "")}},
		{name: "WRONGPASS", args: []string{"--requirepass", "old"}, enter: newPassword, leave: [][]any{config("requirepass", "old")}},
		{name: "CLUSTERDOWN", args: []string{"--cluster-enabled", "yes"},
			enter: [][]any{{"CLUSTER", "FLUSHSLOTS"}}, leave: [][]any{{"CLUSTER", "ADDSLOTSRANGE", 0, 16383}}},
		{name: "BUSY", args: []string{"--busy-reply-threshold", "1"}, leave: [][]any{{"SCRIPT", "KILL"}}},
	} {
		t.Run(state.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			server := redistest.Start(t, state.args...)
			client, admin := server.Client(), server.Client()
			defer client.Close()
			defer admin.Close()
			one := admin.Conn() // which stays as it is while passwords change
			defer one.Close()
			run := func(commands [][]any) {
				t.Helper()
				for _, command := range commands {
					if err := one.Do(ctx, command...).Err(); err != nil && err != redis.Nil {
						t.Fatalf("%v: %v", command, err)
					}
				}
			}
			if state.name == "CLUSTERDOWN" {
				run(state.leave)
				redistest.Eventually(t, "the cluster is up", func() error { return client.LLen(ctx, "job2").Err() })
			}
			q := queue.New(client, "job2")
			if state.name != "CLUSTERDOWN" { // whose server must be empty
				if _, _, err := q.NewSeeder("first").Publish(ctx, false); err != nil {
					t.Fatal(err)
				}
			}
			session := q.NewSession("w", limits)
			exchange := session.Exchange
			pusher := q.NewPusher()
			push := pusher.Push
			calls := map[string]func(context.Context) error{
				"exchange": func(ctx context.Context) error {
					_, err := exchange(ctx, queue.Request{Want: 1})
					exchange = session.Repeat
					return err
				},
				"push": func(ctx context.Context) error {
					_, err := push(ctx, "x")
					push = pusher.Repeat
					return err
				},
				"seed": func(ctx context.Context) error {
					seeder := q.NewSeeder("s")
					defer seeder.Close(ctx)
					if err := seeder.Add(ctx, "apple"); err != nil {
						return err
					}
					_, _, err := seeder.Publish(ctx, true)
					return err
				},
				"seal":   q.Seal,
				"pause":  q.Pause,
				"resume": q.Resume,
				"seeding": func(ctx context.Context) error {
					_, _, _, err := q.NewSeedLease("s", time.Minute).Take(ctx)
					return err
				},
				"counts":  func(ctx context.Context) error { _, err := q.Counts(ctx); return err },
				"running": func(ctx context.Context) error { _, err := q.Running(ctx, 1, 1); return err },
				"records": func(ctx context.Context) error { return q.DeadLetters(ctx, func(queue.Record) bool { return true }) },
				"retry":   func(ctx context.Context) error { _, err := q.Retry(ctx, []string{"1-1"}); return err },
				"durable": func(ctx context.Context) error { _, err := q.AwaitDurable(ctx, 10*time.Millisecond); return err },
				"leave":   func(ctx context.Context) error { return q.NewSession("other", limits).Close(ctx, "") },
				"purge":   func(ctx context.Context) error { _, err := queue.New(client, "job3").Purge(ctx); return err },
				"names":   func(ctx context.Context) error { _, err := queue.Names(ctx, client); return err },
			}
			if state.name == "CLUSTERDOWN" {
				delete(calls, "pause") // only a queue that exists can be paused
			}
			if state.name == "BUSY" {
				other := server.Client()
				defer other.Close()
				go other.Eval(context.WithoutCancel(ctx), "while true do end", nil)
				redistest.Eventually(t, "redis is busy", func() error {
					if err := client.Ping(ctx).Err(); err == nil {
						return context.DeadlineExceeded
					}
					return nil
				})
			}
			run(state.enter)
			var tried, failed atomic.Int32
			var all sync.WaitGroup
			for name, call := range calls {
				all.Go(func() {
					first := true
					err := redisclient.Retry(ctx, time.Minute, logger(t), func(ctx context.Context) error {
						err := call(ctx)
						if first {
							first = false
							tried.Add(1)
							if err != nil {
								failed.Add(1)
							}
						}
						return err
					})
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			redistest.Eventually(t, "every call was tried", func() error {
				if int(tried.Load()) < len(calls) {
					return context.DeadlineExceeded
				}
				return nil
			})
			run(state.leave)
			all.Wait()
			if failed.Load() == 0 {
				t.Error("no call was refused: Redis was not in that state")
			}
		})
	}
}
