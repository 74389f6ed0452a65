package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// Each is one atomic step; workers go on meanwhile.
var (
	save = redis.NewScript(`
local saved = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  saved[#saved + 1] = key
  saved[#saved + 1] = redis.call('DUMP', key)
end
return saved`)
	restore = redis.NewScript(`
redis.call('FLUSHDB')
for i = 1, #ARGV, 2 do redis.call('RESTORE', ARGV[i], 0, ARGV[i + 1]) end`)
)

// moody is a handler with all kinds of outcomes. They depend only on the item.
type moody struct {
	mu   sync.Mutex
	runs map[string]int
}

func (*moody) MaxItems() int { return 10 }

func (m *moody) Handle(_ context.Context, items []queue.Item, report func(int, handler.Attempt)) {
	for i, item := range items {
		attempt := handler.Attempt{Outcome: queue.OutcomeDone, Started: time.Now()}
		time.Sleep(rand.N(12 * time.Millisecond))
		m.mu.Lock()
		m.runs[item.Payload]++
		runs := m.runs[item.Payload]
		m.mu.Unlock()
		switch kind, _, _ := strings.Cut(item.Payload, "-"); {
		case kind == "flaky" && item.Attempts == 0, kind == "bad":
			attempt.Outcome = queue.OutcomeFailed
		case kind == "hopeless":
			attempt.Outcome = queue.OutcomeDead
		case kind == "busy" && runs == 1:
			attempt.Outcome = queue.OutcomeSnoozed
		}
		attempt.Duration = time.Since(attempt.Started)
		report(i, attempt)
	}
}

// TestForgetfulRedis makes Redis lose its last moments again and again, as crashes and failovers do, while workers go on. No item
// is lost, and none is counted twice.
func TestForgetfulRedis(t *testing.T) {
	const items = 3000
	ctx := t.Context()
	server := redistest.Start(t)
	client := server.Client()
	defer client.Close()
	q := queue.New(client, "job2")
	seeder := q.NewSeeder("s")
	deaths := 0
	for i := range items {
		kind := []string{"flaky", "bad", "hopeless", "busy", "item", "item", "item", "item"}[i%8]
		if kind == "bad" || kind == "hopeless" {
			deaths++
		}
		if err := seeder.Add(ctx, fmt.Sprintf("%s-%d", kind, i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := seeder.Publish(ctx, true); err != nil {
		t.Fatal(err)
	}

	m := &moody{runs: map[string]int{}}
	var workers sync.WaitGroup
	for i := range 3 {
		workers.Go(func() {
			w := &dispatch.Worker{Queue: q, Handler: m, Log: slog.New(slog.DiscardHandler), Name: dispatch.NewName(fmt.Sprint("w", i)),
				Policy: dispatch.Policy{Slots: 3, MaxAttempts: 2, UnreachableTimeout: time.Minute,
					Backoff: dispatch.Backoff{First: 20 * time.Millisecond, Max: 20 * time.Millisecond},
					Limits:  queue.Limits{Lease: time.Second, BatchBytes: 1 << 20, MaxCrashes: 20}}}
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	rollbacks := 0
	for {
		time.Sleep(time.Duration(200+rand.IntN(300)) * time.Millisecond) // so that what was lost before is leased again
		saved, err := save.Run(ctx, client, nil).Slice()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+rand.IntN(200)) * time.Millisecond)
		c, err := q.Counts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// Workers that have seen the queue drained are gone, so nobody could repeat what was lost after that.
		if rollbacks == 15 || c.Done+c.Dead > items*8/10 {
			break
		}
		if err := restore.Run(ctx, client, nil, saved...).Err(); !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
		rollbacks++
	}
	workers.Wait()

	c, err := q.Counts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Drained() || !c.Consistent() || c.Dead != deaths || c.Done != items-deaths {
		t.Errorf("of %d items %d are to die: %+v", items, deaths, c)
	}
	dead := map[string]int{}
	if err := q.DeadLetters(ctx, func(r queue.Record) bool { dead[r.Payload]++; return true }); err != nil {
		t.Fatal(err)
	}
	if len(dead) != deaths {
		t.Errorf("%d dead letters", len(dead))
	}
	if len(m.runs) != items {
		t.Errorf("%d items were run", len(m.runs))
	}
	if rollbacks < 3 {
		t.Errorf("only %d rollbacks: this test has become too fast", rollbacks)
	}
	runs := 0
	for _, n := range m.runs {
		runs += n
	}
	t.Logf("%d items, run %d times, through %d rollbacks", items, runs, rollbacks)
}

// atInfo is a hook that does something before the first INFO, by which a worker begins to ask whether the end of the run is on the disk.
type atInfo func()

func (atInfo) DialHook(next redis.DialHook) redis.DialHook { return next }

func (atInfo) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (before atInfo) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		if commands[0].Name() == "info" {
			before()
		}
		return next(ctx, commands)
	}
}

// TestEndIsLost makes Redis lose the last second of a run after its only worker has seen the end. That worker runs the rest again: there is no other.
func TestEndIsLost(t *testing.T) {
	ctx := t.Context()
	server := redistest.Start(t)
	plain, hooked := server.Client(), server.Client()
	defer plain.Close()
	defer hooked.Close()
	q := queue.New(hooked, "job2")
	seeder := q.NewSeeder("s")
	if err := seeder.Add(ctx, "item"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := seeder.Publish(ctx, true); err != nil {
		t.Fatal(err)
	}
	saved, err := save.Run(ctx, plain, nil).Slice()
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	hooked.AddHook(atInfo(func() {
		once.Do(func() {
			if err := restore.Run(ctx, plain, nil, saved...).Err(); !errors.Is(err, redis.Nil) {
				t.Error(err)
			}
		})
	}))
	m := &moody{runs: map[string]int{}}
	w := &dispatch.Worker{Queue: q, Handler: m, Log: slog.New(slog.DiscardHandler), Name: dispatch.NewName("w"),
		Policy: dispatch.Policy{Slots: 1, MaxAttempts: 2, UnreachableTimeout: time.Minute,
			Limits: queue.Limits{Lease: 10 * time.Second, BatchBytes: 1 << 20, MaxCrashes: 3}}}
	if err := w.Run(ctx); err != nil {
		t.Error(err)
	}
	if c, err := q.Counts(ctx); err != nil || !c.Drained() || m.runs["item"] != 2 {
		t.Errorf("the item was run %d times, not twice; the worker ended with %+v (%v)", m.runs["item"], c, err)
	}
}

// emptyBatch lets the first batch that is leased be read from a server that has none, as in a Cluster in which another node takes over.
type emptyBatch struct{ once sync.Once }

func (*emptyBatch) DialHook(next redis.DialHook) redis.DialHook { return next }

func (*emptyBatch) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (e *emptyBatch) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if batch, reads := cmds[len(cmds)-1].(*redis.StringSliceCmd); reads && len(batch.Val()) > 0 {
			e.once.Do(func() { batch.SetVal(nil) })
		}
		return err
	}
}

// TestBatchIsElsewhere: a worker that cannot read what it has leased asks again, and runs each item once.
func TestBatchIsElsewhere(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	client.AddHook(&emptyBatch{})
	q := queue.New(client, "job2")
	seeder := q.NewSeeder("s")
	for _, item := range []string{"a", "b", "c"} {
		if err := seeder.Add(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := seeder.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	m := &moody{runs: map[string]int{}}
	w := &dispatch.Worker{Queue: q, Handler: m, Log: slog.New(slog.DiscardHandler), Name: dispatch.NewName("w"),
		Policy: dispatch.Policy{Slots: 1, MaxAttempts: 1, UnreachableTimeout: time.Minute,
			Limits: queue.Limits{Lease: 10 * time.Second, BatchBytes: 1 << 20, MaxCrashes: 3}}}
	if err := w.Run(t.Context()); err != nil {
		t.Error(err)
	}
	if c, err := q.Counts(t.Context()); err != nil || c.Done != 3 || c.Expired != 0 || m.runs["a"] != 1 {
		t.Errorf("the items were run %v times, and the queue has %+v (%v)", m.runs, c, err)
	}
}
