package dispatch_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// snoozing is a handler that never runs its item.
type snoozing struct{ starts *[]time.Time }

func (snoozing) MaxItems() int { return 1 }

func (s snoozing) Handle(_ context.Context, _ []queue.Item, report func(int, handler.Attempt)) {
	*s.starts = append(*s.starts, time.Now())
	report(0, handler.Attempt{Outcome: queue.OutcomeSnoozed, Reason: "busy", Started: time.Now()})
}

// TestSnoozes snoozes an item again and again, each time for longer, until it is dead.
func TestSnoozes(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	seeder := q.NewSeeder("s")
	if err := seeder.Add(t.Context(), "item"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := seeder.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	var starts []time.Time
	w := &dispatch.Worker{Queue: q, Handler: snoozing{&starts}, Log: slog.New(slog.DiscardHandler), Name: dispatch.NewName("w"),
		Policy: dispatch.Policy{Slots: 1, MaxAttempts: 1, UnreachableTimeout: time.Minute,
			Backoff: dispatch.Backoff{First: 40 * time.Millisecond, Max: time.Minute},
			Limits:  queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3, MaxSnoozes: 4}}}
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(starts) != 5 {
		t.Fatalf("%d runs, where 4 snoozes are allowed", len(starts))
	}
	for i, least := range []time.Duration{20, 40, 80, 160} { // half of the back-off is jitter
		if delay := starts[i+1].Sub(starts[i]); delay < least*time.Millisecond {
			t.Errorf("snooze %d lasted %v, not %v ms", i+1, delay, least)
		}
	}
	if s := w.Stats(); s.Snoozed != 4 || s.Dead != 1 {
		t.Errorf("%d snoozed, %d dead", s.Snoozed, s.Dead)
	}
	var dead []queue.Record
	if err := q.DeadLetters(t.Context(), func(r queue.Record) bool { dead = append(dead, r); return true }); err != nil {
		t.Fatal(err)
	}
	if len(dead) != 1 || !strings.Contains(dead[0].Report, "snoozed more than 4 times: busy") {
		t.Errorf("dead letters: %+v", dead)
	}
}
