package queue_test

import (
	"fmt"
	"testing"

	"github.com/workqueue/workqueue/worker/queue"
)

// TestStop ends items one by one until the run stops: at the number or share that is to stop it, but never while it can be a success.
func TestStop(t *testing.T) {
	for _, test := range []struct {
		stop, maxDead queue.Portion
		isDead        func(i int) bool // the i-th item, from 1
		stopsAt       int              // items that have ended, 0 for never
	}{
		{queue.Portion{Items: 1}, queue.Portion{}, func(i int) bool { return i == 7 }, 7},
		{queue.Portion{Items: 5}, queue.Portion{}, func(int) bool { return true }, 5},
		{queue.Portion{Items: 5}, queue.Portion{Items: 9}, func(int) bool { return true }, 10},
		{queue.Portion{Items: 5}, queue.Portion{Percent: 1}, func(int) bool { return true }, 11},
		{queue.Portion{Items: 11}, queue.Portion{Percent: 1}, func(i int) bool { return i <= 10 }, 0},
		{queue.Portion{Percent: 2}, queue.Portion{Percent: 1}, func(i int) bool { return i <= 10 }, 0},
		{queue.Portion{Percent: 2}, queue.Portion{Percent: 1}, func(i int) bool { return i <= 11 }, 100},
		{queue.Portion{Percent: 5}, queue.Portion{Percent: 5}, func(i int) bool { return i%2 == 0 }, 102},
		{queue.Portion{Percent: 100}, queue.Portion{Percent: 60}, func(i int) bool { return true }, 601},
		{queue.Portion{Percent: 5}, queue.Portion{Items: 200}, func(int) bool { return true }, 201},
		{queue.Portion{}, queue.Portion{}, func(int) bool { return true }, 0},
		{queue.Portion{Items: 1}, queue.Portion{Items: 1 << 62}, func(int) bool { return true }, 0},
	} {
		t.Run(fmt.Sprintf("at %v with %v allowed", test.stop, test.maxDead), func(t *testing.T) {
			t.Parallel()
			_, q := seeded(t, numbered(1000)...)
			limits := limits
			limits.StopAfter, limits.MaxDead = test.stop, test.maxDead
			s := q.NewSession("w", limits)
			reply := exchange(t, s, 1)
			for i := 1; i <= 1000; i++ {
				if reply.Status != queue.StatusItems {
					t.Fatalf("before item %d the status is %s", i, reply.Status)
				}
				report := allDone(reply.Batch)
				if test.isDead(i) {
					report.Done, report.Outcomes = 0, []queue.ItemOutcome{{Outcome: queue.OutcomeDead}}
				}
				if reply = exchange(t, s, 1, report); i == test.stopsAt {
					if reply.Status != queue.StatusStopped {
						t.Errorf("after item %d the status is %s", i, reply.Status)
					}
					return
				}
			}
			if test.stopsAt > 0 || reply.Status != queue.StatusDrained {
				t.Errorf("at the end the status is %s", reply.Status)
			}
		})
	}
}

// TestStopIsOver ends a stopped run by more dead items allowed, though nothing is left to lease: nothing calls it stopped any more.
func TestStopIsOver(t *testing.T) {
	_, q := seeded(t, "a")
	strict := limits
	strict.StopAfter = queue.Portion{Items: 1}
	s := q.NewSession("strict", strict)
	dead := queue.Report{Batch: exchange(t, s, 1).Batch.ID, Release: true, Outcomes: []queue.ItemOutcome{{Outcome: queue.OutcomeDead}}}
	if reply := exchange(t, s, 1, dead); reply.Status != queue.StatusStopped {
		t.Fatalf("status %s", reply.Status)
	}
	mustCounts(t, q, func(c queue.Counts) bool { return c.Stopped })
	strict.MaxDead = queue.Portion{Items: 1}
	if reply := exchange(t, q.NewSession("lenient", strict), 1); reply.Status != queue.StatusDrained {
		t.Errorf("with one dead item allowed the status is %s", reply.Status)
	}
	mustCounts(t, q, func(c queue.Counts) bool { return !c.Stopped && c.Drained() })
}
