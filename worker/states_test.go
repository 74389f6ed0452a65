package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/redistest"
)

// state is something that Redis may be for a while.
type state struct {
	name  string
	args  []string // of redis-server
	enter func(ctx context.Context, server *redistest.Server, c *redis.Client) error
	leave func(ctx context.Context, c *redis.Client) error
	tasks *sync.WaitGroup // what enter has started, if anything
}

func configured(name, value, normal string) (enter func(context.Context, *redistest.Server, *redis.Client) error, leave func(context.Context, *redis.Client) error) {
	return func(ctx context.Context, _ *redistest.Server, c *redis.Client) error {
			return c.ConfigSet(ctx, name, value).Err()
		},
		func(ctx context.Context, c *redis.Client) error { return c.ConfigSet(ctx, name, normal).Err() }
}

func passingStates() []state {
	var loading, away sync.WaitGroup
	oom, notOOM := configured("maxmemory", "1", "0")
	noReplicas, replicas := configured("min-replicas-to-write", "1", "0")
	full, notFull := configured("maxclients", "1", "1000")
	noLeave := func(context.Context, *redis.Client) error { return nil }
	replica := func(ctx context.Context, _ *redistest.Server, c *redis.Client) error {
		return c.Do(ctx, "REPLICAOF", "127.0.0.1", "1").Err()
	}
	master := func(ctx context.Context, c *redis.Client) error { return c.Do(ctx, "REPLICAOF", "NO", "ONE").Err() }
	return []state{
		{"OOM", nil, oom, notOOM, nil},
		{"NOREPLICAS", nil, noReplicas, replicas, nil},
		{"max number of clients", nil, full, notFull, nil},
		{"READONLY", nil, replica, master, nil},
		{"MASTERDOWN", []string{"--replica-serve-stale-data", "no"}, replica, master, nil},
		{"BUSY", []string{"--busy-reply-threshold", "1"}, func(ctx context.Context, server *redistest.Server, _ *redis.Client) error {
			go func() {
				busy := server.Client()
				defer busy.Close()
				_ = busy.Eval(ctx, "while true do end", nil).Err()
			}()
			return nil
		}, func(ctx context.Context, c *redis.Client) error { return c.ScriptKill(ctx).Err() }, nil},
		{"LOADING", []string{"--key-load-delay", "100000", "--loading-process-events-interval-bytes", "1024"},
			func(ctx context.Context, server *redistest.Server, c *redis.Client) error {
				for i := range 8 {
					if err := c.Set(ctx, fmt.Sprintf("other %d", i), strings.Repeat("x", 4096), 0).Err(); err != nil {
						return err
					}
				}
				if err := c.Save(ctx).Err(); err != nil {
					return err
				}
				server.Kill()
				loading.Go(server.Restart)
				return nil
			}, noLeave, &loading},
		{"away", []string{"--appendonly", "yes"}, func(_ context.Context, server *redistest.Server, _ *redis.Client) error {
			server.Kill()
			away.Go(func() {
				time.Sleep(300 * time.Millisecond)
				server.Restart()
			})
			return nil
		}, noLeave, &away},
	}
}

// TestEveryVerbOutlastsPassingStates starts every verb that needs Redis while Redis is in each state that passes.
func TestEveryVerbOutlastsPassingStates(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	worker, err := exec.LookPath("worker") // as testscript.Main makes it
	if err != nil {
		t.Fatal(err)
	}
	const unsealed, sealed, drained = "unsealed", "sealed", "drained"
	walk := []struct{ verb, from string }{
		{"seed", ""}, {"push", ""}, {"seal", unsealed}, {"pause", sealed}, {"resume", sealed}, {"work", sealed}, {"verify", drained}, {"watch", drained},
		{"results", drained}, {"dead", drained}, {"retry", drained}, {"runs", drained}, {"purge", drained},
	}
	without := []string{"monitor", "install", "help", "try"}
	for _, v := range verbs {
		if !slices.Contains(without, v.name) && !slices.ContainsFunc(walk, func(w struct{ verb, from string }) bool { return w.verb == v.name }) {
			t.Errorf("the verb %s is not in this test", v.name)
		}
	}
	for _, state := range passingStates() {
		t.Run(state.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, state.args...)
			verb := func(queue, name string, env ...string) *exec.Cmd {
				cmd := exec.CommandContext(t.Context(), worker, name)
				cmd.Stdin = strings.NewReader("a\nb\n")
				cmd.Env = append(os.Environ(), append(env, "WQ_REDIS_URL="+server.URL(), "WQ_QUEUE="+queue, "WQ_ITEMS_RANGE="+`{"start":1,"end":3}`, "WQ_MAX_DEAD=3",
					"WQ_REDIS_UNREACHABLE_TIMEOUT=20s", `WQ_COMMAND=["sh","-c","test $1 != 2","sh"]`, "WQ_MAX_ATTEMPTS=1", "WQ_VERIFY_TIMEOUT=20s")...)
				return cmd
			}
			must := func(cmd *exec.Cmd) {
				t.Helper()
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("worker %s: %v\n%s", cmd.Args[1], err, out)
				}
			}
			client := server.Client()
			defer client.Close()
			for _, step := range walk {
				queue := step.verb
				if step.from != "" {
					must(verb(queue, "seed", fmt.Sprintf("WQ_SEAL=%t", step.from != unsealed)))
				}
				if step.from == drained {
					must(verb(queue, "work"))
				}
				if err := state.enter(t.Context(), server, client); err != nil {
					t.Fatalf("entering the state: %v", err)
				}
				cmd := verb(queue, step.verb)
				var out strings.Builder
				cmd.Stdout, cmd.Stderr = &out, &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(300 * time.Millisecond) // the verb has met the state by then, or does not mind it
				redistest.Eventually(t, "redis is itself again", func() error {
					if err := state.leave(t.Context(), client); err != nil && !strings.Contains(err.Error(), "NOTBUSY") {
						return err
					}
					if text := client.Info(t.Context(), "persistence").Val(); !strings.Contains(text, "loading:0") {
						return errors.New("it is loading")
					}
					return nil
				})
				if err := cmd.Wait(); err != nil {
					t.Errorf("worker %s: %v\n%s", step.verb, err, out.String())
				}
				if state.tasks != nil {
					state.tasks.Wait()
				}
			}
		})
	}
}
