package monitor

import (
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

func TestSentences(t *testing.T) {
	began := time.Unix(1700000000, 0)
	for _, test := range []struct {
		counts  queue.Counts
		state   string
		summary string
	}{
		{queue.Counts{}, stateUnseeded, "The queue has not been seeded yet."},
		{queue.Counts{Exists: true}, stateOpen, "Every item so far is finished; more may come."},
		{queue.Counts{Exists: true, Ready: 7}, stateRunning, "Seeded: waiting for the first worker."},
		{queue.Counts{Exists: true, Ready: 1000, Leased: 234, Dead: 1, Started: began}, stateRunning, "Running: 1,234 items left. 1 item is dead."},
		{queue.Counts{Exists: true, Delayed: 3, Started: began}, stateRunning, "Running: 3 items left, all waiting for their next attempt."},
		{queue.Counts{Exists: true, Paused: true, Ready: 3, Leased: 1}, statePaused, "Paused: workers start nothing new; 1 item is still running."},
		{queue.Counts{Exists: true, Stopped: true, Dead: 12, Ready: 3}, stateStopped, "Stopped early: too many items are dead. 12 items are dead."},
		{queue.Counts{Exists: true, Sealed: true, Done: 1}, stateDone, "Finished: 1 item is done."},
		{queue.Counts{Exists: true, Sealed: true, Done: 9, Dead: 2}, stateDone, "Finished: 9 items are done. 2 items are dead."},
		{queue.Counts{Exists: true, Sealed: true, Dead: 3}, stateFailed, "Finished with too many dead items. 3 items are dead."},
	} {
		s, r := &Server{MaxDead: 2}, &run{queue: queue.New(nil, "q")}
		r.sampler.latest, r.sampler.leased = queue.Counts{Now: began}, began
		if shot := s.snapshot(r, test.counts); shot.State != test.state || shot.Summary != test.summary {
			t.Errorf("%+v:\n%s: %s\nwant\n%s: %s", test.counts, shot.State, shot.Summary, test.state, test.summary)
		}
	}
	s, r := &Server{}, &run{queue: queue.New(nil, "q")}
	r.sampler.add(queue.Counts{Exists: true, Ready: 5, Now: began, Started: began}, nil)
	r.sampler.add(queue.Counts{Exists: true, Ready: 5, Now: began.Add(idleAfter), Started: began}, nil)
	if shot := s.snapshot(r, queue.Counts{Exists: true, Ready: 5, Started: began}); !strings.Contains(shot.Summary, "no worker takes any") {
		t.Errorf("without a lease for %v: %s", idleAfter, shot.Summary)
	}
	if shot := s.snapshot(r, queue.Counts{}); shot.State != stateVanished {
		t.Errorf("the state of a queue that was there is %s", shot.State)
	}
}

func TestNumbersAndTimes(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -100: "-100", -1000: "-1,000"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
	for seconds, want := range map[float64]string{.2: "1 s", 12: "15 s", 100: "2 min", 5000: "83 min", 6000: "1.7 h", 400_000: "5 days"} {
		if got := about(seconds); got != want {
			t.Errorf("%v s is about %s, want %s", seconds, got, want)
		}
	}
}

// sampled adds so many seconds of a run, at each of which so many items have ended.
func sampled(s *sampler, seconds int, ended func(second int) int) {
	began := time.Unix(1700000000, 0)
	for i := range seconds {
		now := began.Add(time.Duration(i) * time.Second)
		s.add(queue.Counts{Exists: true, Now: now, Started: began, Done: ended(i), Ready: 1}, nil)
	}
}

// TestHistory: the samples of a whole night are few, start at its start, are exact lately, and end with the run.
func TestHistory(t *testing.T) {
	s := &sampler{}
	const night = 8 * 3600
	sampled(s, night, func(i int) int { return i })
	all := s.history()
	if len(all) > samplesKept || len(all) < samplesKept/2 || all[0].Done != 0 || all[len(all)-1].Done != night-1 || all[len(all)-60].Done < night-200 {
		t.Errorf("%d samples, from %+v to %+v", len(all), all[0], all[len(all)-1])
	}
	for i := 1; i < len(all); i++ {
		if !all[i].At.After(all[i-1].At) || all[i].Done-all[i-1].Done > night/50 {
			t.Fatalf("from %+v to %+v", all[i-1], all[i])
		}
	}
	end := queue.Counts{Exists: true, Sealed: true, Now: all[len(all)-1].At, Started: all[0].At, Done: night}
	for range 1000 {
		end.Now = end.Now.Add(time.Second)
		s.add(end, nil)
	}
	if more := s.history(); len(more) > len(all)+1 {
		t.Errorf("%d samples more after the end", len(more)-len(all))
	}
}
