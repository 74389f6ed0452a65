package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// TestClockSetBack sets Redis's clock back by an hour: nothing that is due then or was to be soon waits for that hour, and people see
// times of the clock as it is.
func TestClockSetBack(t *testing.T) {
	server := redistest.StartWithClock(t)
	client := server.Client()
	defer client.Close()
	q := queue.New(client, "job2")
	seed(t, q, true, numbered(6)...)
	limits := limits
	limits.Lease, limits.Rate, limits.LastStep = 3*time.Second, 1, true
	limits.MaxCrashes = 3
	dead, living := q.NewSession("dead", limits), q.NewSession("living", limits)
	lost := exchange(t, dead, 1).Batch
	server.StepClock(100 * time.Second) // the rate allows more
	exchange(t, living, 0)
	batch := leaseOne(t, living)
	failed := queue.ItemOutcome{Outcome: queue.OutcomeFailed, Delay: time.Second}
	exchange(t, living, 0, queue.Report{Batch: batch.ID, Release: true, Outcomes: []queue.ItemOutcome{failed}})

	server.StepClock(100*time.Second - time.Hour)
	counts, err := q.Counts(t.Context())
	must(t, err)
	for name, at := range map[string]time.Time{"started": counts.Started, "last call": counts.LastCall} {
		if age := counts.Now.Sub(at); age < 0 || age > 10*time.Minute {
			t.Errorf("%s %v ago", name, age)
		}
	}
	for name, at := range map[string]time.Time{"due": counts.NextDue, "expires": counts.NextExpiry} {
		if wait := at.Sub(counts.Now); wait > 20*time.Second {
			t.Errorf("%s in %v", name, wait)
		}
	}
	// The rate, the retry and the dead worker's lease go on.
	began, done := time.Now(), map[string]bool{}
	for len(done) < 6 {
		if time.Since(began) > 30*time.Second {
			c, _ := q.Counts(t.Context())
			t.Fatalf("after %v only %v are done; %+v", time.Since(began), done, c)
		}
		reply := exchange(t, living, 1)
		if reply.Batch == nil {
			time.Sleep(min(reply.Wait, 100*time.Millisecond))
			continue
		}
		for _, item := range reply.Batch.Items {
			done[item.ID] = true
		}
		exchange(t, living, 0, allDone(reply.Batch))
	}
	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("six items took %v, at one a second", took)
	}
	if len(exchange(t, dead, 0, allDone(lost)).Lost) == 0 {
		t.Error("the dead worker has its lease back")
	}

	// A lease of the last step is as long as before, too.
	if step, err := living.LeaseLastStep(t.Context()); err != nil || !step.Leased {
		t.Fatalf("%+v, %v", step, err)
	}
	server.StepClock(-2 * time.Hour)
	step, err := dead.LeaseLastStep(t.Context())
	must(t, err)
	if step.Leased || step.Wait > limits.Lease+500*time.Millisecond { // last_call is that exact
		t.Errorf("another worker gets %+v", step)
	}
}

// leaseOne waits until an item is leased.
func leaseOne(t *testing.T, s *queue.Session) *queue.Batch {
	t.Helper()
	var batch *queue.Batch
	redistest.Eventually(t, "an item is leased", func() error {
		reply := exchange(t, s, 1)
		if batch = reply.Batch; batch == nil {
			return fmt.Errorf("status %s, wait %v", reply.Status, reply.Wait)
		}
		return nil
	})
	return batch
}

// TestLeasesOutliveAnOutage has Redis away for long, as its clock sees it: the leases of batches, of the last step and of seeding survive it,
// however short they are, and leave time to come back.
func TestLeasesOutliveAnOutage(t *testing.T) {
	type of struct{ lease, away time.Duration }
	tests := map[of]time.Duration{} // how long after the first worker the last one comes back, see redisclient.Retry
	for _, lease := range []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 30 * time.Second, 10 * time.Minute} {
		for _, away := range []time.Duration{lease / 2, 3 * time.Second / 2, 2 * time.Second, 15 * time.Second, time.Hour} {
			tests[of{lease, away}] = min(away/8*3/2, 3*time.Second)
		}
	}
	for test, spread := range tests {
		t.Run(fmt.Sprintf("%v, away %v", test.lease, test.away), func(t *testing.T) {
			t.Parallel()
			lease := test.lease
			server := redistest.StartWithClock(t)
			server.StopClock()
			client := server.Client()
			defer client.Close()
			limits := limits
			limits.Lease, limits.LastStep, limits.MaxCrashes = lease, true, 1
			var clock time.Duration
			pass := func(d time.Duration) {
				clock += d
				server.StepClock(clock)
			}
			// Redis goes away right before the renewal, and the other workers come back some time after the first.
			outage := func(hold, first, renewed func()) {
				hold()
				pass(lease / 3)
				first()
				pass(test.away)
				first()
				pass(spread)
				first()
				renewed()
			}

			q := queue.New(client, "job2")
			other := q.NewSeedLease("items", lease)
			mine := q.NewSeedLease("items", lease)
			outage(func() {
				if outcome, _, _, err := mine.Take(t.Context()); err != nil || outcome != queue.SeedLeased {
					t.Fatal(outcome, err)
				}
			}, func() {
				if outcome, _, _, err := other.Take(t.Context()); err != nil || outcome != queue.SeedWait {
					t.Fatalf("another seeder gets %v, %v", outcome, err)
				}
			}, func() {})

			seed(t, q, true, "a")
			holder, idle := q.NewSession("holder", limits), q.NewSession("idle", limits)
			var batch *queue.Batch
			wait := func(want queue.Status) func() {
				return func() {
					if reply := exchange(t, idle, 1); reply.Status != want {
						t.Fatalf("another worker gets %+v", reply)
					}
				}
			}
			outage(func() { batch = exchange(t, holder, 1).Batch }, wait(queue.StatusWait), func() {
				if lost := exchange(t, holder, 0, allDone(batch)).Lost; len(lost) > 0 {
					t.Error("the batch is lost")
				}
			})
			outage(func() {
				if step, err := holder.LeaseLastStep(t.Context()); err != nil || !step.Leased {
					t.Fatal(step, err)
				}
			}, func() {
				wait(queue.StatusLast)()
				if step, err := idle.LeaseLastStep(t.Context()); err != nil || step.Leased {
					t.Fatalf("another worker gets %+v, %v", step, err)
				}
			}, func() {
				if step, err := holder.RenewLastStep(t.Context()); err != nil || !step.Leased {
					t.Errorf("the last step is lost: %+v, %v", step, err)
				}
			})
		})
	}
}

// TestDeadWorkersLeaseEnds has a worker die. Its lease ends in time however often the others call, and however short it is: of the time
// between two calls, a third of a lease counts.
func TestDeadWorkersLeaseEnds(t *testing.T) {
	for _, lease := range []time.Duration{time.Second, 1400 * time.Millisecond, 2 * time.Second, 30 * time.Second} {
		for _, every := range []time.Duration{100 * time.Millisecond, 350 * time.Millisecond, 480 * time.Millisecond, 700 * time.Millisecond, 1200 * time.Millisecond} {
			t.Run(fmt.Sprintf("%v, a call every %v", lease, every), func(t *testing.T) {
				t.Parallel()
				server := redistest.StartWithClock(t)
				client := server.Client()
				defer client.Close()
				q := queue.New(client, "job2")
				limits := limits
				limits.Lease = lease
				seed(t, q, true, "a")
				exchange(t, q.NewSession("dead", limits), 1)
				counted := min(every, lease/3) // of the time before a call
				calls := int(lease/counted) + 3
				for call := range calls {
					server.StepClock(time.Duration(call) * every)
					if exchange(t, q.NewSession("living", limits), 1).Batch != nil {
						return
					}
				}
				t.Errorf("the lease has not ended after %d calls", calls)
			})
		}
	}
}
