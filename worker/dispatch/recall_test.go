package dispatch_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// holding is a handler that returns all items but its first one when they are recalled, and ends that one when the test says so.
type holding struct {
	started  chan struct{}
	end      chan struct{}
	recalled chan struct{}
	once     sync.Once
}

func (*holding) MaxItems() int { return 10 }

func (*holding) Excess() bool { return true }

func (h *holding) Recall() { h.once.Do(func() { close(h.recalled) }) }

func (h *holding) Handle(_ context.Context, items []queue.Item, report func(int, handler.Attempt)) {
	close(h.started)
	<-h.recalled
	for i := 1; i < len(items); i++ {
		report(i, handler.Attempt{Outcome: queue.OutcomeReturned, Started: time.Now()})
	}
	<-h.end
	report(0, handler.Attempt{Outcome: queue.OutcomeDone, Started: time.Now(), Duration: time.Second})
}

// TestRecall lets one worker hold items. As soon as another worker is idle, these must go to that one.
func TestRecall(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	seeder := q.NewSeeder("s")
	for i := range 10 {
		if err := seeder.Add(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := seeder.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	start := func(h handler.Handler) chan error {
		w := &dispatch.Worker{Queue: q, Handler: h, Log: slog.New(slog.DiscardHandler), Name: dispatch.NewName("w"),
			Policy: dispatch.Policy{Slots: 1, Fill: 10, MaxAttempts: 1, UnreachableTimeout: time.Minute,
				Limits: queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3}}}
		result := make(chan error, 1)
		go func() { result <- w.Run(t.Context()) }()
		return result
	}
	h := &holding{started: make(chan struct{}), end: make(chan struct{}), recalled: make(chan struct{})}
	holder := start(h)
	<-h.started
	select {
	case <-h.recalled:
		t.Fatal("items were recalled while no slot was idle")
	case <-time.After(1500 * time.Millisecond):
	}
	other := start(handler.Print{Output: &process.Output{Out: io.Discard}})
	began := time.Now()
	for {
		c, err := q.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c.Done == 9 {
			t.Logf("the other worker has run them after %v", time.Since(began).Round(time.Millisecond))
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("the items are still held: %+v", c)
		}
		time.Sleep(10 * time.Millisecond)
	}
	close(h.end)
	for _, result := range []chan error{holder, other} {
		if err := <-result; err != nil {
			t.Error(err)
		}
	}
	if c, err := q.Counts(t.Context()); err != nil || c.Done != 10 || !c.Drained() || !c.Consistent() {
		t.Errorf("%+v, %v", c, err)
	}
}
