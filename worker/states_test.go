package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/redistest"
)

// state is something that Redis may be for a while.
type state struct {
	name  string
	args  []string // of redis-server
	enter transition
	leave transition      // it may be called again
	tasks *sync.WaitGroup // what enter has started, if anything
}

type transition = func(context.Context, *redistest.Server, *redis.Client) error

func configured(name, value, normal string) (enter, leave transition) {
	set := func(value string) transition {
		return func(ctx context.Context, _ *redistest.Server, c *redis.Client) error {
			return c.ConfigSet(ctx, name, value).Err()
		}
	}
	return set(value), set(normal)
}

func passingStates() []state {
	var loading sync.WaitGroup
	oom, notOOM := configured("maxmemory", "1", "0")
	noReplicas, replicas := configured("min-replicas-to-write", "1", "0")
	full, notFull := configured("maxclients", "1", "1000")
	leaves := func(context.Context, *redistest.Server, *redis.Client) error { return nil } // by itself
	replica := func(ctx context.Context, _ *redistest.Server, c *redis.Client) error {
		return c.Do(ctx, "REPLICAOF", "127.0.0.1", "1").Err()
	}
	master := func(ctx context.Context, _ *redistest.Server, c *redis.Client) error {
		return c.Do(ctx, "REPLICAOF", "NO", "ONE").Err()
	}
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
		}, func(ctx context.Context, _ *redistest.Server, c *redis.Client) error { return c.ScriptKill(ctx).Err() }, nil},
		{"LOADING", []string{"--key-load-delay", "50000", "--loading-process-events-interval-bytes", "1024"},
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
			}, leaves, &loading},
		{"away", []string{"--appendonly", "yes"}, func(_ context.Context, server *redistest.Server, _ *redis.Client) error {
			server.Kill()
			return nil
		}, func(ctx context.Context, server *redistest.Server, c *redis.Client) error {
			if c.Ping(ctx).Err() != nil {
				server.Restart()
			}
			return nil
		}, nil},
	}
}

// TestEveryVerbOutlastsPassingStates starts every verb that needs Redis while Redis is in each state that passes.
func TestEveryVerbOutlastsPassingStates(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	t.Parallel()
	worker, err := exec.LookPath("worker") // as testscript.Main makes it
	if err != nil {
		t.Fatal(err)
	}
	const unsealed, sealed, drained = "unsealed", "sealed", "drained"
	walk := []struct{ verb, from string }{
		{"seed", ""}, {"push", ""}, {"seal", unsealed}, {"pause", sealed}, {"resume", sealed}, {"work", sealed}, {"verify", drained}, {"watch", drained}, {"status", drained},
		{"results", drained}, {"dead", drained}, {"records", drained}, {"cancel", sealed}, {"retry", drained}, {"runs", drained}, {"purge", drained},
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
				switch name {
				case "purge":
					cmd.Args = append(cmd.Args, queue)
				case "cancel":
					cmd.Args = append(cmd.Args, ".")
				}
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
				out, err := os.Create(filepath.Join(t.TempDir(), step.verb))
				if err != nil {
					t.Fatal(err)
				}
				defer out.Close()
				cmd.Stdout, cmd.Stderr = out, out
				printed := func() string {
					text, _ := os.ReadFile(out.Name())
					return string(text)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- cmd.Wait() }()
				redistest.Eventually(t, "worker "+step.verb+" has met the state, or has ended because it does not mind it", func() error {
					if len(ended) > 0 || strings.Contains(printed(), "redis cannot be used") {
						return nil
					}
					return errors.New(printed())
				})
				redistest.Eventually(t, "redis is itself again", func() error {
					if err := state.leave(t.Context(), server, client); err != nil && !strings.Contains(err.Error(), "NOTBUSY") {
						return err
					}
					if text := client.Info(t.Context(), "persistence").Val(); !strings.Contains(text, "loading:0") {
						return errors.New("it is loading")
					}
					return nil
				})
				if err := <-ended; err != nil {
					t.Errorf("worker %s: %v\n%s", step.verb, err, printed())
				}
				if state.tasks != nil {
					state.tasks.Wait()
				}
				if err := client.FlushAll(t.Context()).Err(); err != nil { // or each load would take longer than the one before
					t.Fatal(err)
				}
			}
		})
	}
}
