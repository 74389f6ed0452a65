package dispatch_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// hanging is a handler whose items are fast, except for one that ends only when the test says so.
type hanging struct {
	most    int
	started chan struct{} // closed when that item has started
	end     chan struct{}
}

func (h hanging) MaxItems() int { return h.most }

func (h hanging) Handle(_ context.Context, items []queue.Item, report func(int, handler.Attempt)) {
	hung := -1
	for i, item := range items {
		if item.Payload == "hang" {
			hung = i
			continue
		}
		started := time.Now()
		time.Sleep(time.Millisecond)
		report(i, handler.Attempt{Outcome: queue.OutcomeDone, Started: started, Duration: time.Since(started)})
	}
	if hung >= 0 {
		close(h.started)
		<-h.end
		report(hung, handler.Attempt{Outcome: queue.OutcomeDone, Duration: time.Second})
	}
}

// TestHangingItem runs one item that hangs among fast ones. The items that were leased ahead must go back to the queue, and the
// outcomes of the others must be reported.
func TestHangingItem(t *testing.T) {
	for _, most := range []int{1, 50} {
		t.Run(fmt.Sprintf("%d items a chunk", most), func(t *testing.T) {
			client := redistest.Start(t).Client()
			defer client.Close()
			q := queue.New(client, "job2")
			seeder := q.NewSeeder("s")
			for i := range 2000 {
				item := fmt.Sprint(i)
				if i == 500 {
					item = "hang"
				}
				if err := seeder.Add(t.Context(), item); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := seeder.Publish(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			h := hanging{most: most, started: make(chan struct{}), end: make(chan struct{})}
			w := &dispatch.Worker{Queue: q, Handler: h, Log: slog.New(slog.DiscardHandler), Name: dispatch.NewName("w"),
				Policy: dispatch.Policy{Slots: 1, MaxAttempts: 1, UnreachableTimeout: time.Minute,
					Limits: queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3}}}
			result := make(chan error, 1)
			go func() { result <- w.Run(t.Context()) }()
			<-h.started
			hung := time.Now()
			for {
				c, err := q.Counts(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if c.Leased == 1 {
					t.Logf("after %v the worker holds nothing else", time.Since(hung).Round(time.Millisecond))
					break
				}
				if time.Since(hung) > 10*time.Second {
					t.Fatalf("the worker still holds %d items", c.Leased)
				}
				time.Sleep(10 * time.Millisecond)
			}
			close(h.end)
			if err := <-result; err != nil {
				t.Fatal(err)
			}
			if c, err := q.Counts(t.Context()); err != nil || c.Done != 2000 || !c.Drained() || !c.Consistent() {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}
