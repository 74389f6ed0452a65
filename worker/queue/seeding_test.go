package queue_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// grant is what came of asking for a lease.
type grant struct {
	outcome queue.SeedOutcome
	number  int
}

func take(t *testing.T, l *queue.SeedLease) grant {
	t.Helper()
	outcome, number, _, err := l.Take(t.Context())
	must(t, err)
	return grant{outcome, number}
}

func expect(t *testing.T, when string, got grant, outcome queue.SeedOutcome, number int) {
	t.Helper()
	if want := (grant{outcome, number}); got != want {
		t.Errorf("%s: %v, want %v", when, got, want)
	}
}

// TestSeedLease: one seeder at a time has the lease. A failed attempt counts, one that was given back does not.
func TestSeedLease(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	a, b := q.NewSeedLease("items", time.Minute), q.NewSeedLease("items", time.Minute)
	a.Attempts, b.Attempts = 3, 3

	expect(t, "free", take(t, a), queue.SeedLeased, 1)
	expect(t, "of the same seeder, whose reply was lost", take(t, a), queue.SeedLeased, 1)
	if _, _, wait, err := b.Take(t.Context()); err != nil || wait < 50*time.Second || wait > time.Minute {
		t.Errorf("held by another: wait %v, %v", wait, err)
	}
	must(t, b.Fail(t.Context(), 0, "not its business"))
	expect(t, "still held", take(t, b), queue.SeedWait, 0)
	must(t, a.Return(t.Context()))
	expect(t, "given back", take(t, b), queue.SeedLeased, 1)
	must(t, b.Fail(t.Context(), 100*time.Millisecond, "no such bucket"))
	expect(t, "after a failure, too early", take(t, b), queue.SeedWait, 0)
	if c, err := q.Counts(t.Context()); err != nil || c.Exists || c.SeedError != "no such bucket" || c.SeedAttempts != 1 || c.Began.IsZero() {
		t.Errorf("after a failure: %+v, %v", c, err)
	}
	time.Sleep(150 * time.Millisecond)
	expect(t, "after a failure, in time", take(t, a), queue.SeedLeased, 2)
	must(t, a.Fail(t.Context(), 0, "no such bucket"))
	expect(t, "the last attempt", take(t, a), queue.SeedLeased, 3)
	must(t, a.Fail(t.Context(), 0, "no such bucket"))
	expect(t, "no attempt left", take(t, b), queue.SeedSpent, 3)

	seeder := q.NewSeeder("items")
	must(t, seeder.Add(t.Context(), "apple"))
	_, _, err := seeder.Publish(t.Context(), true)
	must(t, err)
	expect(t, "seeded", take(t, b), queue.SeedDone, 1)
	if c, err := q.Counts(t.Context()); err != nil || c.SeedError != "" || c.SeedAttempts != 0 || !c.SeederTill.IsZero() || c.Began.IsZero() {
		t.Errorf("once seeded: %+v, %v", c, err)
	}
}

// TestSeedLeaseLost: a seeder that was away for too long is told to stop, and one that renews in time is not.
func TestSeedLeaseLost(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	const lease = 300 * time.Millisecond
	a, b := q.NewSeedLease("items", lease), q.NewSeedLease("items", lease)
	expect(t, "free", take(t, a), queue.SeedLeased, 1)
	seeding, stop := a.Keep(t.Context())
	defer stop()
	time.Sleep(3 * lease)
	expect(t, "renewed", take(t, b), queue.SeedWait, 0)
	if seeding.Err() != nil {
		t.Fatalf("the holder is told to stop: %v", context.Cause(seeding))
	}
	// As if its holder could not renew it for a while. Between the two calls it may.
	var taken grant
	for try := 0; try < 20 && taken.outcome != queue.SeedLeased; try++ {
		must(t, client.HSet(t.Context(), "{job2}:state", "seeder_until", 1).Err())
		taken = take(t, b)
	}
	expect(t, "expired", taken, queue.SeedLeased, 2)
	select {
	case <-seeding.Done():
	case <-time.After(10 * lease):
	}
	if cause := context.Cause(seeding); !errors.Is(cause, queue.ErrSeedLost) {
		t.Errorf("the seeder that lost its lease is told %v", cause)
	}
}

// TestSeedLeaseRace: of many that ask at once, one gets it.
func TestSeedLeaseRace(t *testing.T) {
	server := redistest.Start(t)
	var mu sync.Mutex
	outcomes := map[queue.SeedOutcome]int{}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			client := server.Client()
			defer client.Close()
			outcome, _, _, err := queue.New(client, "job2").NewSeedLease("items", time.Minute).Take(context.Background())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			outcomes[outcome]++
		})
	}
	all.Wait()
	if outcomes[queue.SeedLeased] != 1 || outcomes[queue.SeedWait] != 19 {
		t.Errorf("%v", outcomes)
	}
}

// TestOnlySeed: of a queue that will have no other seed nothing stays for ever: not while nobody has seeded it, nor once it has drained.
// While the run lasts, all of it stays.
func TestOnlySeed(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	expires := func(when string, want bool) {
		t.Helper()
		ttl, err := client.PTTL(t.Context(), "{job2}:state").Result()
		must(t, err)
		if (ttl > 0) != want {
			t.Errorf("%s: the state's time to live is %v", when, ttl)
		}
	}
	l := q.NewSeedLease("items", time.Minute)
	l.Kept = time.Millisecond // but never less than an hour
	expect(t, "free", take(t, l), queue.SeedLeased, 1)
	expires("not seeded", true)
	seeder := q.NewSeeder("items")
	must(t, seeder.Add(t.Context(), "apple"))
	_, _, err := seeder.Publish(t.Context(), true)
	must(t, err)
	expires("seeded", false)
	kept := limits
	kept.Retention = time.Hour
	s := q.NewSession("w", kept)
	batch := exchange(t, s, 1).Batch
	expires("running", false)
	if reply := exchange(t, s, 1, allDone(batch)); reply.Status != queue.StatusDrained {
		t.Fatalf("the run is %s", reply.Status)
	}
	expires("drained", true)
}

// TestOnlySeedOfNothing: an empty list is a seed like any other.
func TestOnlySeedOfNothing(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	l := q.NewSeedLease("items", time.Minute)
	l.Kept = time.Hour
	expect(t, "free", take(t, l), queue.SeedLeased, 1)
	_, _, err := q.NewSeeder("items").Publish(t.Context(), true)
	must(t, err)
	expect(t, "seeded", take(t, l), queue.SeedDone, 0)
	if ttl := client.PTTL(t.Context(), "{job2}:state").Val(); ttl > 0 {
		t.Errorf("the state expires in %v", ttl)
	}
}
