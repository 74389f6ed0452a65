package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// lateReply is a client hook that keeps the first reply with items until the test lets it go.
type lateReply struct{ leased, release chan struct{} }

func (lateReply) DialHook(next redis.DialHook) redis.DialHook { return next }

func (lateReply) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (l lateReply) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		err := next(ctx, commands)
		if items, ok := commands[len(commands)-1].(*redis.StringSliceCmd); ok && len(items.Val()) > 0 {
			select {
			case <-l.leased:
			default:
				close(l.leased)
			}
			<-l.release
		}
		return err
	}
}

// starts is a handler that counts the items which it starts.
type starts struct{ n *atomic.Int64 }

func (starts) MaxItems() int { return 10 }

func (s starts) Handle(_ context.Context, items []queue.Item, report func(int, handler.Attempt)) {
	s.n.Add(int64(len(items)))
	for i := range items {
		report(i, handler.Attempt{Outcome: queue.OutcomeDone, Started: time.Now()})
	}
}

// TestLateReply stops a worker while it waits for the reply that brings its items, some time before that comes or just then. Nothing
// is started any more, and the items are back in the queue.
func TestLateReply(t *testing.T) {
	server := redistest.Start(t)
	q := queue.New(server.Client(), "job2")
	seeder := q.NewSeeder("s")
	for i := range 100 {
		if err := seeder.Add(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := seeder.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for try := range 40 {
		client := server.Client()
		late := lateReply{make(chan struct{}), make(chan struct{})}
		client.AddHook(late)
		s := starts{&atomic.Int64{}}
		told := make(chan struct{})
		w := &dispatch.Worker{Queue: queue.New(client, "job2"), Handler: s, Log: slog.New(toldToStop{slog.DiscardHandler, told}), Name: dispatch.NewName("w"),
			Policy: dispatch.Policy{Slots: 2, MaxAttempts: 1, UnreachableTimeout: time.Minute, Grace: time.Minute,
				Limits: queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3}}}
		ctx, stop := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- w.Run(ctx) }()
		<-late.leased
		stop()
		if try%4 == 0 { // otherwise the reply comes at the same time
			<-told
		}
		close(late.release)
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		client.Close()
		c, err := q.Counts(t.Context())
		if n := s.n.Load(); err != nil || n > 0 || c.Leased > 0 || c.Done > 0 || !c.Consistent() {
			t.Fatalf("try %d: %d items were started after the stop: %+v, %v", try, n, c, err)
		}
	}
}

// toldToStop is a log handler that closes told when the worker logs that it was told to stop.
type toldToStop struct {
	slog.Handler
	told chan struct{}
}

func (toldToStop) Enabled(context.Context, slog.Level) bool { return true }

func (h toldToStop) Handle(_ context.Context, r slog.Record) error {
	if len(r.Message) >= 12 && r.Message[:12] == "told to stop" {
		close(h.told)
	}
	return nil
}
