package monitor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

func TestSentences(t *testing.T) {
	began := time.Unix(1700000000, 0)
	for _, test := range []struct {
		counts queue.Counts
		state  string
		says   string
	}{
		{queue.Counts{}, stateUnseeded, "Nothing was put into this queue yet."},
		{queue.Counts{Exists: true}, stateOpen, "Empty, and open: it waits for more items."},
		{queue.Counts{Exists: true, Ready: 7}, stateRunning, "Full, and waiting for the first worker."},
		{queue.Counts{Exists: true, Ready: 1000, Leased: 234, Dead: 1, Started: began}, stateRunning, "Running: 1,234 to go. 1 item has failed for good."},
		{queue.Counts{Exists: true, Delayed: 3, Started: began}, stateRunning, "3 to go, waiting for another attempt."},
		{queue.Counts{Exists: true, Paused: true, Ready: 3, Leased: 1}, statePaused, "Paused: nothing is begun until somebody resumes; 1 still runs."},
		{queue.Counts{Exists: true, Stopped: true, Dead: 12, Ready: 3}, stateStopped, "Stopped early, because too many items failed. 12 items have failed for good."},
		{queue.Counts{Exists: true, Sealed: true, Done: 1}, stateDone, "Over: 1 item is done."},
		{queue.Counts{Exists: true, Sealed: true, Done: 9, Dead: 2}, stateDone, "Over: 9 items are done. 2 items have failed for good."},
		{queue.Counts{Exists: true, Sealed: true, Dead: 3}, stateFailed, "Over, and failed. 3 items have failed for good."},
	} {
		s := &Server{MaxDead: 2}
		s.sampler.latest, s.sampler.leased = queue.Counts{Now: began}, began
		if shot := s.snapshot(test.counts); shot.State != test.state || shot.Says != test.says {
			t.Errorf("%+v:\n%s: %s\nwant\n%s: %s", test.counts, shot.State, shot.Says, test.state, test.says)
		}
	}
	s := &Server{}
	s.sampler.add(queue.Counts{Exists: true, Ready: 5, Now: began, Started: began}, nil)
	s.sampler.add(queue.Counts{Exists: true, Ready: 5, Now: began.Add(idleAfter), Started: began}, nil)
	if shot := s.snapshot(queue.Counts{Exists: true, Ready: 5, Started: began}); !strings.Contains(shot.Says, "no worker takes them") {
		t.Errorf("without a lease for %v: %s", idleAfter, shot.Says)
	}
	if shot := s.snapshot(queue.Counts{}); shot.State != stateGone {
		t.Errorf("a queue that was there is %s", shot.State)
	}
}

func TestPercentIsWholeOnlyAtTheEnd(t *testing.T) {
	for _, test := range []struct {
		done, total int
		want        string
	}{{0, 0, "0.0"}, {1, 3, "33.3"}, {999_999, 1_000_000, "99.9"}, {10, 10, "100.0"}} {
		if got := fmt.Sprintf("%.1f", Snapshot{Done: test.done, Total: test.total}.Percent()); got != test.want {
			t.Errorf("%d of %d is %s %%, want %s", test.done, test.total, got, test.want)
		}
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

// sampled runs so many seconds of a run, in which so many items end each second.
func sampled(s *sampler, seconds int, ended func(second int) int) {
	began := time.Unix(1700000000, 0)
	for i := range seconds {
		now := began.Add(time.Duration(i) * time.Second)
		s.add(queue.Counts{Exists: true, Now: now, Started: began, Done: ended(i), Ready: 1}, nil)
	}
}

func TestRate(t *testing.T) {
	for name, test := range map[string]struct {
		seconds int
		ended   func(int) int
		want    float64
	}{
		"fast":                        {100, func(i int) int { return 1000 * i }, 1000},
		"one a minute":                {4000, func(i int) int { return i / 60 }, 1. / 60},
		"faster lately":               {100, func(i int) int { return max(i, 50*(i-80)+80) }, 50},
		"nothing for as long as work": {120, func(i int) int { return min(i, 60) }, 30. / 89},
		"nothing":                     {100, func(int) int { return 0 }, 0},
	} {
		s := &sampler{}
		sampled(s, test.seconds, test.ended)
		if got := s.rate(); got < test.want*.9-1e-9 || got > test.want*1.1+1e-9 {
			t.Errorf("%s: %.3f a second, want %.3f", name, got, test.want)
		}
	}
}

// TestHistory: that of a night is small, begins at the beginning, is exact lately, and does not go on after the end.
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
