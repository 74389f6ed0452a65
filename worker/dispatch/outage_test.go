package dispatch_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// endless is a handler whose items end only when the test says so.
type endless struct{ started, ended chan struct{} }

func (endless) MaxItems() int { return 1 }

func (e endless) Handle(ctx context.Context, _ []queue.Item, report func(int, handler.Attempt)) {
	close(e.started)
	<-ctx.Done()
	close(e.ended)
	report(0, handler.Attempt{Outcome: queue.OutcomeReturned, Started: time.Now()})
}

// TestStopDuringOutage stops a worker while Redis is away, as when the node of both is drained. The items still get TERM after the
// grace.
func TestStopDuringOutage(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client()
	defer client.Close()
	q := queue.New(client, "job2")
	seeder := q.NewSeeder("s")
	if err := seeder.Add(t.Context(), "item"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := seeder.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	e := endless{make(chan struct{}), make(chan struct{})}
	w := &dispatch.Worker{Queue: q, Handler: e, Log: slog.New(slog.DiscardHandler), Name: dispatch.NewName("w"),
		Policy: dispatch.Policy{Slots: 1, MaxAttempts: 1, Grace: 200 * time.Millisecond, UnreachableTimeout: time.Minute,
			Limits: queue.Limits{Lease: time.Second, BatchBytes: 1 << 20, MaxCrashes: 3}}}
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- w.Run(ctx) }()
	<-e.started
	server.Kill()
	time.Sleep(500 * time.Millisecond) // a third of the lease, and the worker is amidst a call that does not succeed
	stop()
	select {
	case <-e.ended:
	case <-time.After(2 * time.Second):
		t.Error("the item was not told to end after the grace")
	}
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// once is a handler whose first call lasts until it is cancelled.
type once struct {
	mu      sync.Mutex
	calls   int
	started chan struct{}
}

func (*once) MaxItems() int { return 1 }

func (o *once) Handle(ctx context.Context, _ []queue.Item, report func(int, handler.Attempt)) {
	o.mu.Lock()
	o.calls++
	first := o.calls == 1
	o.mu.Unlock()
	if first {
		close(o.started)
		<-ctx.Done()
	}
	report(0, handler.Attempt{Outcome: queue.OutcomeDone, Started: time.Now()})
}

// TestLostAll takes all leases from the only worker, as if it had been frozen for longer than its lease. The worker must lease the
// items again.
func TestLostAll(t *testing.T) {
	ctx := t.Context()
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	seeder := q.NewSeeder("s")
	for _, item := range []string{"a", "b", "c"} {
		if err := seeder.Add(ctx, item); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := seeder.Publish(ctx, true); err != nil {
		t.Fatal(err)
	}
	limits := queue.Limits{Lease: time.Second, BatchBytes: 1 << 20, MaxCrashes: 3}
	o := &once{started: make(chan struct{})}
	w := &dispatch.Worker{Queue: q, Handler: o, Log: slog.New(slog.DiscardHandler), Name: dispatch.NewName("w"),
		Policy: dispatch.Policy{Slots: 1, MaxAttempts: 1, UnreachableTimeout: time.Minute, Limits: limits}}
	result := make(chan error, 1)
	go func() { result <- w.Run(ctx) }()
	<-o.started
	for _, lease := range client.ZRange(ctx, "{job2}:leases", 0, -1).Val() {
		client.ZAdd(ctx, "{job2}:leases", redis.Z{Score: 1, Member: lease})
	}
	if _, err := q.NewSession("another", limits).Exchange(ctx, queue.Request{}); err != nil { // takes back what expired
		t.Fatal(err)
	}
	select {
	case err := <-result:
		if c, _ := q.Counts(ctx); err != nil || c.Done != 3 || !c.Drained() {
			t.Errorf("%+v, %v", c, err)
		}
	case <-time.After(10 * time.Second):
		c, _ := q.Counts(ctx)
		t.Fatalf("the worker does nothing: %+v", c)
	}
}
