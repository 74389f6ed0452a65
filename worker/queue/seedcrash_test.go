package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

var errDied = errors.New("the process has died")

// mortal lets a process die at one of its calls to Redis: before it, amidst the commands of a pipeline, or after it,
// when it has taken effect but nobody hears the reply.
type mortal struct {
	calls  int // made so far
	diesAt int // the call at which the process dies, from 0; -1 for never
	sent   int // commands of that call that Redis still receives; -1 for all of them
}

func (m *mortal) DialHook(next redis.DialHook) redis.DialHook { return next }

func (m *mortal) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return m.call(func(n int) error {
			if n == 0 {
				return nil
			}
			return next(ctx, cmd)
		})
	}
}

func (m *mortal) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return m.call(func(n int) error {
			switch {
			case n < 0 || n >= len(cmds):
				return next(ctx, cmds)
			case n == 0 || cmds[0].Name() == "multi": // without its end, a transaction is nothing
				return nil
			}
			return next(ctx, cmds[:n])
		})
	}
}

func (m *mortal) call(do func(commands int) error) error {
	m.calls++
	switch call := m.calls - 1; {
	case m.diesAt < 0 || call < m.diesAt:
		return do(-1)
	case call == m.diesAt:
		_ = do(m.sent)
	}
	return errDied
}

// seedOnce is a process that seeds.
func seedOnce(addr string, life *mortal, items []string) (published bool, err error) {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DisableIdentity: true})
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil { // what a connection says first is no step of the seed
		return false, err
	}
	client.AddHook(life)
	seeder := queue.New(client, "job2").NewSeeder("items")
	for _, item := range items {
		if err := seeder.Add(ctx, item); err != nil {
			return false, err
		}
	}
	published, n, err := seeder.Publish(ctx, true)
	if err == nil && n != len(items) {
		err = fmt.Errorf("%d items", n)
	}
	return published, err
}

// exact checks that a queue holds these items, in their order, and that nothing else is left in Redis for good.
func exact(t *testing.T, client *redis.Client, items []string) {
	t.Helper()
	ctx := context.Background()
	got, err := client.LRange(ctx, "job2", 0, -1).Result()
	must(t, err)
	if !slices.Equal(got, items) {
		t.Errorf("%d items are in the queue, want %d", len(got), len(items))
	}
	c, err := queue.New(client, "job2").Counts(ctx)
	must(t, err)
	if c.Seeded != len(items) || !c.Sealed || !c.Consistent() {
		t.Errorf("counts: %+v", c)
	}
	keys, err := client.Keys(ctx, "*").Result()
	must(t, err)
	for _, key := range keys {
		if ttl := client.TTL(ctx, key).Val(); key != "job2" && key != "{job2}:state" && ttl <= 0 {
			t.Errorf("%s stays for ever", key)
		}
	}
}

func someItems(n int) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf("%016d", i)
	}
	return items
}

// TestSeedCrash lets a seeder die at every point, and then makes the seed again.
func TestSeedCrash(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client()
	defer client.Close()
	items := someItems(20_000) // two round trips of staging
	whole := &mortal{diesAt: -1}
	if _, err := seedOnce(server.Addr, whole, items); err != nil {
		t.Fatal(err)
	}
	exact(t, client, items)
	if whole.calls < 4 {
		t.Fatalf("a seed makes %d calls: it has become too short for this test", whole.calls)
	}
	for _, scriptKnown := range []bool{true, false} {
		for diesAt := range whole.calls {
			for _, sent := range []int{0, 1, 2, 5, -1} {
				name := fmt.Sprintf("script known %v, call %d, commands sent %d", scriptKnown, diesAt, sent)
				must(t, client.FlushAll(context.Background()).Err())
				if !scriptKnown {
					must(t, client.ScriptFlush(context.Background()).Err())
				}
				_, err := seedOnce(server.Addr, &mortal{diesAt: diesAt, sent: sent}, items)
				if scriptKnown && diesAt == whole.calls-1 {
					continue // the first seed had a call more, to make the script known
				}
				if !errors.Is(err, errDied) {
					t.Fatalf("%s: the seeder lives: %v", name, err)
				}
				if _, err := seedOnce(server.Addr, &mortal{diesAt: -1}, items); err != nil {
					t.Errorf("%s: seeding again: %v", name, err)
				}
				exact(t, client, items)
				if t.Failed() {
					t.Fatal(name)
				}
			}
		}
	}
}

// TestSeedRace lets several seeders of one name run at once.
func TestSeedRace(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client()
	defer client.Close()
	items := someItems(20_000)
	var winners atomic.Int32
	var seeders sync.WaitGroup
	for range 4 {
		seeders.Go(func() {
			published, err := seedOnce(server.Addr, &mortal{diesAt: -1}, items)
			if err != nil {
				t.Error(err)
			}
			if published {
				winners.Add(1)
			}
		})
	}
	seeders.Wait()
	exact(t, client, items)
	if n := winners.Load(); n != 1 {
		t.Errorf("%d seeds were published", n)
	}
}

// TestSeedLost takes staged items away before they are published, as a crash of Redis does which loses its last second.
func TestSeedLost(t *testing.T) {
	ctx := context.Background()
	client := redistest.Start(t).Client()
	defer client.Close()
	items := someItems(20_000)
	seeder := queue.New(client, "job2").NewSeeder("items")
	for _, item := range items {
		must(t, seeder.Add(ctx, item))
	}
	keys, err := client.Keys(ctx, "*").Result()
	must(t, err)
	if len(keys) != 1 || !strings.HasPrefix(keys[0], "{job2}:staging:") {
		t.Fatalf("staged in %q", keys)
	}
	must(t, client.RPopCount(ctx, keys[0], 7).Err())
	if _, _, err := seeder.Publish(ctx, true); !errors.Is(err, queue.ErrIncomplete) {
		t.Errorf("published what is not there: %v", err)
	}
	if n := client.Exists(ctx, "job2", "{job2}:state").Val(); n != 0 {
		t.Errorf("%d keys of the queue exist", n)
	}
	again := queue.New(client, "job2").NewSeeder("items")
	for _, item := range items {
		must(t, again.Add(ctx, item))
	}
	if _, _, err := again.Publish(ctx, true); err != nil {
		t.Error(err)
	}
	exact(t, client, items)
}
