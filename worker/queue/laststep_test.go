package queue_test

import (
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// lastLimits are limits of workers with a last step.
func lastLimits() queue.Limits {
	l := limits
	l.LastStep, l.MaxCrashes, l.StopAfter = true, 2, queue.Portion{Items: 2}
	return l
}

// TestLastStep takes a run through its last step: nobody gets it before the last item is done, one worker at a time has it, and
// the run has drained only after it.
func TestLastStep(t *testing.T) {
	_, q := seeded(t, "a", "b")
	a, b := q.NewSession("a", lastLimits()), q.NewSession("b", lastLimits())
	first, second := exchange(t, a, 1), exchange(t, b, 1)
	if reply := exchange(t, a, 1, allDone(first.Batch)); reply.Status != queue.StatusWait {
		t.Errorf("while an item runs, the status is %s", reply.Status)
	}
	for _, s := range []*queue.Session{b, a} {
		var reports []queue.Report
		if s == b {
			reports = append(reports, allDone(second.Batch))
		}
		if reply := exchange(t, s, 1, reports...); reply.Status != queue.StatusLast {
			t.Fatalf("when all items are done, the status is %s", reply.Status)
		}
	}
	mustCounts(t, q, func(c queue.Counts) bool { return !c.Drained() && c.LastStep == queue.LastStepWaiting && c.Open() == 0 })

	lease := func(s *queue.Session, want queue.LastStep) {
		t.Helper()
		got, err := s.LeaseLastStep(t.Context())
		must(t, err)
		if got.Wait = got.Wait.Truncate(time.Minute); got != want {
			t.Errorf("leased %+v, want %+v", got, want)
		}
	}
	end := func(s *queue.Session, o queue.ItemOutcome) {
		t.Helper()
		if counts, err := s.EndLastStep(t.Context(), o); err != nil || !counts {
			t.Errorf("the end of the last step counts: %v, %v", counts, err)
		}
	}
	lease(a, queue.LastStep{Leased: true})
	lease(a, queue.LastStep{Leased: true}) // the reply was lost
	if other, err := b.LeaseLastStep(t.Context()); err != nil || other.Leased || other.Wait <= 0 {
		t.Errorf("another worker gets %+v, %v", other, err)
	}
	end(b, queue.ItemOutcome{Outcome: queue.OutcomeDone}) // not its own
	mustCounts(t, q, func(c queue.Counts) bool { return c.LastStep == queue.LastStepRunning })

	end(a, queue.ItemOutcome{Outcome: queue.OutcomeReturned})
	lease(b, queue.LastStep{Leased: true})
	end(b, queue.ItemOutcome{Outcome: queue.OutcomeFailed, Text: `{"reason":"no network"}`})
	lease(b, queue.LastStep{Leased: true, Attempts: 1})
	if reply := exchange(t, a, 1); reply.Status != queue.StatusLast {
		t.Errorf("while the last step runs, the status is %s", reply.Status)
	}
	end(b, queue.ItemOutcome{Outcome: queue.OutcomeDone})
	for _, s := range []*queue.Session{a, b} {
		if reply := exchange(t, s, 1); reply.Status != queue.StatusDrained {
			t.Errorf("after the last step, the status is %s", reply.Status)
		}
	}
	mustCounts(t, q, func(c queue.Counts) bool { return c.Drained() && c.Done == 2 && c.Dead == 0 && c.Consistent() })

	// More items mean another end.
	push(t, q.NewPusher(), "c")
	third := exchange(t, a, 1)
	if reply := exchange(t, a, 1, allDone(third.Batch)); reply.Status != queue.StatusLast {
		t.Errorf("after more items, the status is %s", reply.Status)
	}
	lease(a, queue.LastStep{Leased: true})
}

// TestLastStepCrashes loses the workers of the last step until it is dead, and lets it run again.
func TestLastStepCrashes(t *testing.T) {
	client, q := seeded(t, "a")
	for n, worker := range []string{"a", "b", "c"} {
		s := q.NewSession(worker, lastLimits())
		if n == 0 {
			reply := exchange(t, s, 1)
			exchange(t, s, 1, allDone(reply.Batch))
		}
		step, err := s.LeaseLastStep(t.Context())
		must(t, err)
		if step.Leased != (n < 2) {
			t.Errorf("after %d crashes the last step is leased: %v", n, step.Leased)
		}
		must(t, client.HSet(t.Context(), "{job2}:state", "last_until", 1).Err()) // its lease expires
	}
	mustCounts(t, q, func(c queue.Counts) bool {
		return c.LastStep == queue.LastStepDead && c.Dead == 0 &&
			c.LastStepRecord == `{"reason":"2 workers have died that ran it, and worker.maxCrashes allows no more"}`
	})
	s := q.NewSession("d", lastLimits())
	if reply := exchange(t, s, 1); reply.Status != queue.StatusDrained {
		t.Errorf("with a dead last step, the status is %s", reply.Status)
	}
	must(t, q.RetryLastStep(t.Context()))
	if reply := exchange(t, s, 1); reply.Status != queue.StatusLast {
		t.Errorf("after a retry, the status is %s", reply.Status)
	}
}

// TestLastStepOfStoppedRun keeps the workers of a run that stops early until the last step has run.
func TestLastStepOfStoppedRun(t *testing.T) {
	_, q := seeded(t, numbered(9)...)
	a, b := q.NewSession("a", lastLimits()), q.NewSession("b", lastLimits())
	first, second := exchange(t, a, 2), exchange(t, b, 1)
	if len(first.Batch.Items) != 2 {
		t.Fatalf("%d items", len(first.Batch.Items))
	}
	dead := queue.Report{Batch: first.Batch.ID, Release: true, Outcomes: []queue.ItemOutcome{
		{Position: 0, Outcome: queue.OutcomeDead}, {Position: 1, Outcome: queue.OutcomeDead}}}
	if reply := exchange(t, a, 1, dead); reply.Status != queue.StatusWait {
		t.Errorf("while an item runs, the status is %s", reply.Status)
	}
	if reply := exchange(t, b, 1, allDone(second.Batch)); reply.Status != queue.StatusLast {
		t.Errorf("when no item runs, the status is %s", reply.Status)
	}
	step, err := a.LeaseLastStep(t.Context())
	if err != nil || !step.Leased {
		t.Fatalf("%+v, %v", step, err)
	}
	_, err = a.EndLastStep(t.Context(), queue.ItemOutcome{Outcome: queue.OutcomeDone})
	must(t, err)
	if reply := exchange(t, b, 1); reply.Status != queue.StatusStopped {
		t.Errorf("after the last step, the status is %s", reply.Status)
	}
}

// mustCounts fails the test if the counts of the queue are not as they should be.
func mustCounts(t *testing.T, q *queue.Queue, good func(queue.Counts) bool) {
	t.Helper()
	if c, err := q.Counts(t.Context()); err != nil || !good(c) {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestLastStepRunsAgain lets items come while the last step runs: what it reports then does not count, whether they are still there or
// have ended meanwhile, and it runs again after them.
func TestLastStepRunsAgain(t *testing.T) {
	for _, outcome := range []queue.Outcome{queue.OutcomeDone, queue.OutcomeFailed, queue.OutcomeDead} {
		for _, ended := range []bool{false, true} {
			_, q := seeded(t, "a")
			a, b := q.NewSession("a", lastLimits()), q.NewSession("b", lastLimits())
			exchange(t, a, 1, allDone(exchange(t, a, 1).Batch))
			lease := func() {
				t.Helper()
				if step, err := a.LeaseLastStep(t.Context()); err != nil || step != (queue.LastStep{Leased: true}) {
					t.Fatalf("%+v, %v", step, err)
				}
			}
			lease()
			push(t, q.NewPusher(), "b")
			if ended {
				exchange(t, b, 1, allDone(exchange(t, b, 1).Batch))
			}
			counts, err := a.EndLastStep(t.Context(), queue.ItemOutcome{Outcome: outcome, Text: "{}"})
			if err != nil || counts {
				t.Errorf("%s, with the new item ended %v: it counts %v, %v", outcome, ended, counts, err)
			}
			mustCounts(t, q, func(c queue.Counts) bool { return c.LastStep == queue.LastStepWaiting && !c.Drained() })
			if !ended {
				exchange(t, b, 1, allDone(exchange(t, b, 1).Batch))
			}
			lease()
			if counts, err := a.EndLastStep(t.Context(), queue.ItemOutcome{Outcome: queue.OutcomeDone}); err != nil || !counts {
				t.Errorf("the second run of the last step counts %v, %v", counts, err)
			}
			if reply := exchange(t, b, 1); reply.Status != queue.StatusDrained {
				t.Errorf("after that the status is %s", reply.Status)
			}
		}
	}
}

// TestPauseHoldsLastStep: while the run is paused nobody starts the last step, of a drained run or a stopped one.
func TestPauseHoldsLastStep(t *testing.T) {
	for _, dead := range []bool{false, true} {
		_, q := seeded(t, "a", "b", "c", "d")
		limits := lastLimits()
		limits.StopAfter = queue.Portion{Items: 1}
		s := q.NewSession("a", limits)
		batch := exchange(t, s, 1).Batch
		must(t, q.Pause(t.Context()))
		var reply queue.Reply
		if dead {
			reply = exchange(t, s, 1, queue.Report{Batch: batch.ID, Release: true, Outcomes: []queue.ItemOutcome{{Outcome: queue.OutcomeDead}}})
		} else {
			must(t, q.Cancel(t.Context(), func(string) bool { return true }, queue.Cap{}))
			reply = exchange(t, s, 1, allDone(batch))
		}
		if reply.Status != queue.StatusPaused || reply.Wait < time.Second {
			t.Errorf("stopped %v: status %s, wait %v", dead, reply.Status, reply.Wait)
		}
		if step, err := s.LeaseLastStep(t.Context()); err != nil || step.Leased || step.Wait < time.Second {
			t.Errorf("while paused: %+v, %v", step, err)
		}
		must(t, q.Resume(t.Context()))
		if reply := exchange(t, s, 1); reply.Status != queue.StatusLast {
			t.Errorf("after the pause the status is %s", reply.Status)
		}
	}
}
