package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// rest asks for an item as a worker does that has nothing to do.
func rest(t *testing.T, s *queue.Session) queue.Reply {
	t.Helper()
	reply, err := s.Exchange(context.Background(), queue.Request{Want: 1, Idle: true, Rests: true})
	must(t, err)
	return reply
}

// crowd has n idle workers ask for an item. The first one watches.
func crowd(t *testing.T, q *queue.Queue, n int, l queue.Limits) []*queue.Session {
	t.Helper()
	sessions := make([]*queue.Session, n)
	for i := range sessions {
		sessions[i] = q.NewSession(fmt.Sprint("w", i), l)
		if reply := rest(t, sessions[i]); reply.Status != queue.StatusWait || reply.Watch != (i == 0) {
			t.Fatalf("idle worker %d: %+v", i, reply)
		}
	}
	return sessions
}

// open makes a queue without items, into which more may come.
func open(t *testing.T) (*redis.Client, *queue.Queue) {
	t.Helper()
	client := redistest.Start(t).Client()
	t.Cleanup(func() { client.Close() })
	q := queue.New(client, "job2")
	_, _, err := q.NewSeeder("s").Publish(t.Context(), false)
	must(t, err)
	return client, q
}

// bells returns how many idle workers would be woken now.
func bells(t *testing.T, client *redis.Client) int64 {
	t.Helper()
	return client.LLen(context.Background(), "{job2}:bell").Val()
}

// TestWatcher: of the workers that are idle one watches for a push. When it finds items, it wakes another one to watch, and as many as there may
// be items for.
func TestWatcher(t *testing.T) {
	for _, test := range []struct{ pushed, woken int }{{1, 1}, {3, 2}, {1000, 4}} {
		client, q := open(t)
		sessions := crowd(t, q, 3, limits)
		for i := range test.pushed {
			client.RPush(t.Context(), "job2", i)
		}
		if reply := rest(t, sessions[0]); reply.Batch == nil {
			t.Fatalf("the watcher got %+v", reply)
		}
		if n := bells(t, client); n != int64(test.woken) {
			t.Errorf("after %d items %d workers are woken, not %d", test.pushed, n, test.woken)
		}
	}
}

// TestWatcherGone: a watcher that has left, or has not called for two seconds, is followed by the next worker that asks.
func TestWatcherGone(t *testing.T) {
	client, q := open(t)
	sessions := crowd(t, q, 3, limits)
	must(t, sessions[0].Close(t.Context(), ""))
	if n := bells(t, client); n != 1 {
		t.Errorf("after the watcher has left %d workers are woken, not one", n)
	}
	if reply := rest(t, sessions[2]); !reply.Watch {
		t.Errorf("the watcher has left, and the next worker got %+v", reply)
	}
	redistest.Eventually(t, "another worker watches in the place of one that does not call", func() error {
		if !rest(t, sessions[1]).Watch {
			return errors.New("no worker watches")
		}
		return nil
	})
}

// TestItemsAreNotWatched: a list that is not empty would wake its watcher without end. So no worker watches while items wait that may not be
// leased: the run is stopped, and has a last step to come.
func TestItemsAreNotWatched(t *testing.T) {
	l := limits
	l.StopAfter, l.LastStep = queue.Portion{Items: 1}, true
	_, q := seeded(t, numbered(10)...)
	busy, poison := q.NewSession("busy", l), q.NewSession("poison", l)
	exchange(t, busy, 1)
	batch := exchange(t, poison, 1).Batch
	_, err := poison.Exchange(t.Context(), queue.Request{Reports: []queue.Report{{Batch: batch.ID, Release: true,
		Outcomes: []queue.ItemOutcome{{Outcome: queue.OutcomeDead, Text: "{}"}}}}})
	must(t, err)
	for i := range 3 {
		if reply := rest(t, q.NewSession(fmt.Sprint("idle", i), l)); reply.Watch || reply.Status != queue.StatusWait || reply.Wait < 50*time.Millisecond {
			t.Errorf("an idle worker got %+v", reply)
		}
	}
}

// TestEndWakesAll: idle workers rest for long where there are many of them, and hear of the end at once.
func TestEndWakesAll(t *testing.T) {
	client, q := seeded(t, "apple")
	busy := q.NewSession("busy", limits)
	batch := exchange(t, busy, 1).Batch
	crowd(t, q, 5, limits)
	_, err := busy.Exchange(t.Context(), queue.Request{Want: 1, Rests: true, Reports: []queue.Report{{Batch: batch.ID, Release: true, Done: 1}}})
	must(t, err)
	if n := bells(t, client); n < 5 {
		t.Errorf("the end has woken %d of 5 workers", n)
	}
}
