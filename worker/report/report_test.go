package report

import (
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

func TestConclude(t *testing.T) {
	for _, test := range []struct {
		name    string
		counts  queue.Counts
		maxDead int
		kind    Kind
		text    string
	}{
		{"nothing", queue.Counts{}, 0, ConclusionVanished, "FAILED: the queue does not exist"},
		{"all done", queue.Counts{Exists: true, Sealed: true, Seeded: 9, Taken: 9, Done: 9}, 0, ConclusionOK, "OK: all 9 items are done"},
		{"as allowed", queue.Counts{Exists: true, Sealed: true, Seeded: 9, Taken: 9, Done: 8, Dead: 1}, 1, ConclusionOK, "OK: 8 of 9"},
		{"too many dead", queue.Counts{Exists: true, Sealed: true, Seeded: 9, Taken: 9, Done: 8, Dead: 1}, 0, ConclusionDead, "FAILED: 1 of 9"},
		{"stopped early, though allowed", queue.Counts{Exists: true, Sealed: true, Stopped: true, Seeded: 9, Taken: 9, Dead: 2, Delayed: 7}, 9, ConclusionDead, "FAILED: stopped early"},
		{"items missing", queue.Counts{Exists: true, Sealed: true, Seeded: 9, Taken: 9, Done: 7}, 0, ConclusionUnbalanced, "FAILED: the accounts do not balance"},
		{"open items", queue.Counts{Exists: true, Sealed: true, Seeded: 9, Taken: 9, Done: 7, Leased: 2}, 0, ConclusionUnfinished, "UNFINISHED: 2 of 9"},
		{"not sealed", queue.Counts{Exists: true, Seeded: 9, Taken: 9, Done: 9}, 0, ConclusionUnfinished, "UNFINISHED: every item"},
	} {
		c := Conclude(test.counts, test.maxDead)
		if c.Kind != test.kind || !strings.HasPrefix(c.Text, test.text) {
			t.Errorf("%s: %s: %s; want %s: %s", test.name, c.Kind, c.Text, test.kind, test.text)
		}
		if strings.HasPrefix(c.Text, "OK") != (c.Kind == ConclusionOK) {
			t.Errorf("%s: text and kind contradict each other: %+v", test.name, c)
		}
	}
}

func TestSpeed(t *testing.T) {
	began := time.Unix(1700000000, 0)
	for _, test := range []struct {
		name    string
		seconds int
		done    func(second int) int
		want    float64
	}{
		{"one look", 1, func(int) int { return 50 }, 0},
		{"steady", 60, func(s int) int { return 5 * s }, 5},
		{"slower since a minute", 120, func(s int) int { return min(100*s, 6000) + max(0, s-60) }, 1},
		{"one item a minute", 3601, func(s int) int { return s / 60 }, 1. / 60},
	} {
		var speed Speed
		for i := range test.seconds {
			now := began.Add(time.Duration(i) * time.Second)
			speed.Saw(queue.Counts{Now: now, Started: began, Done: test.done(i)})
		}
		if got := speed.PerSecond(); got < 0.9*test.want || got > 1.1*test.want+0.001 {
			t.Errorf("%s: %.3f/s, want %.3f", test.name, got, test.want)
		}
		if len(speed.seen) > 200 {
			t.Errorf("%s: %d moments are kept", test.name, len(speed.seen))
		}
	}
}
