package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// SeedOutcome is what came of asking for the right to seed.
type SeedOutcome string

// The outcomes.
const (
	SeedLeased SeedOutcome = "leased" // this seeder may seed
	SeedWait   SeedOutcome = "wait"   // another one does, or an attempt has just failed
	SeedLost   SeedOutcome = "lost"   // this seeder does not have the lease
	SeedSpent  SeedOutcome = "spent"  // no attempt is left
	SeedDone   SeedOutcome = "seeded" // the queue was seeded
)

// ErrSeedLost is why the context of a seeder was cancelled that has lost its lease.
var ErrSeedLost = errors.New("another worker seeds the queue now")

// stateKept is the least time for which the state of a run is kept that was not seeded.
const stateKept = time.Hour

// SeedLease is the right to seed a queue, which one seeder at a time has. It is used by one goroutine at a time.
type SeedLease struct {
	Name     string        // of the seed
	Lease    time.Duration // how long a seeder may go without contacting Redis before another one takes over
	Attempts int           // that may be made, 0 for any number
	Kept     time.Duration // how long the state is kept while the queue is not seeded, an hour at least, if it will have no other seed; else 0

	queue  *Queue
	seeder string
}

// NewSeedLease returns a lease that nobody has yet, for the seed of a name.
func (q *Queue) NewSeedLease(name string, lease time.Duration) *SeedLease {
	return &SeedLease{Name: name, Lease: lease, queue: q, seeder: rand.Text()}
}

// Take asks for the lease. The number is that of the attempt if it is leased, of the attempts if they are spent, and of the items if the
// queue was seeded; wait is how long the lease cannot be had unless its holder renews it.
func (l *SeedLease) Take(ctx context.Context) (outcome SeedOutcome, number int, wait time.Duration, err error) {
	outcome, number, err = l.call(ctx, "lease", l.Lease, "")
	if outcome == SeedWait {
		wait, number = time.Duration(number)*time.Millisecond, 0
	}
	return outcome, number, wait, err
}

// Return lets another seeder have the lease at once.
func (l *SeedLease) Return(ctx context.Context) error {
	_, _, err := l.call(ctx, "return", 0, "")
	return err
}

// Fail reports why an attempt failed. The next one may be made after the delay.
func (l *SeedLease) Fail(ctx context.Context, delay time.Duration, reason string) error {
	_, _, err := l.call(ctx, "failed", delay, reason)
	return err
}

// Keep renews the lease until stop is called. The context that it returns is cancelled, with the cause ErrSeedLost, if another seeder
// has it now.
func (l *SeedLease) Keep(ctx context.Context) (seeding context.Context, stop func()) {
	seeding, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(l.Lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-seeding.Done():
				return
			case <-ticker.C:
				// Without a reply the lease may be lost or not. Who has it does not matter then, because nobody can publish.
				if outcome, _, err := l.call(seeding, "renew", l.Lease, ""); err == nil && outcome != SeedLeased {
					cancel(ErrSeedLost)
				}
			}
		}
	}()
	return seeding, func() {
		cancel(context.Canceled)
		<-stopped
	}
}

func (l *SeedLease) call(ctx context.Context, action string, d time.Duration, reason string) (SeedOutcome, int, error) {
	kept := l.Kept
	if kept > 0 {
		kept = max(kept, stateKept)
	}
	reply, err := seedingScript.Run(ctx, l.queue.redis, l.queue.keys(), l.Name, l.seeder, action, d.Milliseconds(), l.Attempts,
		kept.Milliseconds(), reason, l.Lease.Milliseconds()).Slice()
	if err != nil {
		return "", 0, err
	}
	if len(reply) != 2 {
		return "", 0, fmt.Errorf("reply of seeding.lua: %v", reply)
	}
	outcome, _ := reply[0].(string)
	number, _ := reply[1].(int64)
	return SeedOutcome(outcome), int(number), nil
}
