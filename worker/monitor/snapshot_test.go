package monitor

import (
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
)

func TestSnapshotConcludes(t *testing.T) {
	s, r := &Server{MaxDead: queue.Portion{Items: 2}}, &run{queue: queue.New(nil, "q")}
	ended := queue.Counts{Exists: true, Sealed: true, Taken: 11, Done: 9, Dead: 2, Now: time.Unix(1700000000, 0)}
	r.sampler.add(ended, nil)
	for _, test := range []struct {
		counts  queue.Counts
		state   report.State
		summary string
	}{
		{ended, report.StateDone, "9 of 11 items are done, 2 are dead as allowed."},
		{queue.Counts{}, report.StateVanished, "The queue has vanished: Redis lost its data, or the run's records have expired."},
	} {
		if shot := s.snapshot(r, test.counts); shot.State != test.state || shot.Summary != test.summary {
			t.Errorf("%+v:\n%s: %s\nwant\n%s: %s", test.counts, shot.State, shot.Summary, test.state, test.summary)
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
