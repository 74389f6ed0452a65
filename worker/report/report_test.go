package report

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

func TestConclude(t *testing.T) {
	now := time.Now()
	recent, long := now.Add(-time.Second), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	seeded := queue.Counts{Exists: true, Sealed: true, Seeded: 9, Taken: 9, Now: now, LastCall: recent}
	with := func(change func(c *queue.Counts)) queue.Counts {
		c := seeded
		change(&c)
		return c
	}
	for _, test := range []struct {
		name    string
		counts  queue.Counts
		maxDead int
		state   State
		line    string
	}{
		{"nothing", queue.Counts{}, 0, StateUnseeded, "FAILED: the queue has not been seeded, or Redis lost its data"},
		{"all done", with(func(c *queue.Counts) { c.Done = 9 }), 0, StateDone, "OK: all 9 items are done"},
		{"many", queue.Counts{Exists: true, Sealed: true, Seeded: 1e6, Taken: 1e6, Done: 1e6}, 0, StateDone, "OK: all 1,000,000 items are done"},
		{"as allowed", with(func(c *queue.Counts) { c.Done, c.Dead = 8, 1 }), 1, StateDone, "OK: 8 of 9 items are done, 1 is dead as allowed"},
		{"results lost", with(func(c *queue.Counts) { c.Done, c.ResultsDropped = 9, 1000 }), 0, StateDone, "OK: all 9 items are done, but 1,000 results were not kept"},
		{"results lost, and too many dead", with(func(c *queue.Counts) { c.Done, c.Dead, c.ResultsDropped = 8, 1, 1 }), 0, StateFailed, "FAILED: 1 of 9 items is dead; 1 result was not kept"},
		{"too many dead", with(func(c *queue.Counts) { c.Done, c.Dead = 8, 1 }), 0, StateFailed, "FAILED: 1 of 9 items is dead"},
		{"stopped early, though allowed", with(func(c *queue.Counts) { c.Stopped, c.Dead, c.Delayed = true, 2, 7 }), 9, StateStopped,
			"FAILED: stopped early, with 2 of 9 items dead and 7 not done"},
		{"items missing", with(func(c *queue.Counts) { c.Done = 7 }), 0, StateUnbalanced, "FAILED: the counts do not add up: 9 items came in, 7 are known"},
		{"not sealed", with(func(c *queue.Counts) { c.Sealed, c.Done = false, 9 }), 0, StateOpen,
			"UNFINISHED: every item so far has ended, but the queue is not sealed: more may come"},
		{"broken", with(func(c *queue.Counts) { c.Broken, c.Taken, c.Done, c.Ready = "cannot run x: no such file", 6, 6, 3 }), 0, StateBroken,
			"FAILED: no item can be run: cannot run x: no such file (correct the command or the image with helm upgrade, which starts workers again); 3 items are left"},
		{"broken, but another worker has items", with(func(c *queue.Counts) { c.Broken, c.Done, c.Leased = "cannot run x: no such file", 6, 3 }), 0, StateRunning, "UNFINISHED: 3 items are left"},
		{"running", with(func(c *queue.Counts) { c.Done, c.Dead, c.Leased = 6, 1, 2 }), 0, StateRunning, "UNFINISHED: 2 items are left; 1 item is dead"},
		{"paused", with(func(c *queue.Counts) { c.Paused, c.Done, c.Delayed = true, 8, 1 }), 0, StatePaused,
			"UNFINISHED: paused: workers start nothing until you resume; 1 item is left"},
		{"paused, with running items", with(func(c *queue.Counts) { c.Paused, c.Done, c.Leased = true, 7, 2 }), 0, StatePaused,
			"UNFINISHED: paused: workers start nothing new; 2 items are still leased"},
		{"no worker yet", with(func(c *queue.Counts) { c.LastCall, c.Taken, c.Ready = time.Time{}, 0, 9 }), 0, StateWaiting,
			"UNFINISHED: waiting for workers: none has started yet; 9 items are left"},
		{"no worker since the seed", with(func(c *queue.Counts) { c.LastCall, c.Began, c.Taken, c.Ready = time.Time{}, long, 0, 9 }), 0, StateWaiting,
			"UNFINISHED: waiting for workers since 2026-01-02 03:04:05 UTC: none has started yet; 9 items are left"},
		{"no worker any more", with(func(c *queue.Counts) { c.LastCall, c.Taken, c.Ready = long, 0, 9 }), 0, StateWaiting,
			"UNFINISHED: waiting for workers since 2026-01-02 03:04:05 UTC, when the last one called: check that worker pods are running; 9 items are left"},
		{"they died with items", with(func(c *queue.Counts) { c.LastCall, c.NextExpiry, c.Leased = long, long, 9 }), 0, StateWaiting,
			"UNFINISHED: waiting for workers since 2026-01-02 03:04:05 UTC, when the last one called: check that worker pods are running; 9 items are left"},
		{"they died with the last step", with(func(c *queue.Counts) {
			c.LastCall, c.LastUntil, c.Done, c.LastStep = long, long, 9, queue.LastStepRunning
		}), 0, StateWaiting,
			"UNFINISHED: waiting for workers since 2026-01-02 03:04:05 UTC, when the last one called: check that worker pods are running; 0 items are left"},
		{"a long last step", with(func(c *queue.Counts) {
			c.LastCall, c.LastUntil, c.Done, c.LastStep = now.Add(-time.Minute), now.Add(time.Minute), 9, queue.LastStepRunning
		}), 0, StateRunning, "UNFINISHED: every item that was to run has ended; the last step (finally) is running"},
		{"half cancelled", with(func(c *queue.Counts) { c.Done, c.Cancelled = 5, 4 }), 0, StateDone, "OK: 5 of 9 items are done, 4 were cancelled"},
		{"long leases", with(func(c *queue.Counts) {
			c.LastCall, c.NextExpiry, c.Leased = now.Add(-time.Minute), now.Add(time.Minute), 9
		}), 0, StateRunning,
			"UNFINISHED: 9 items are left"},
		{"held back by the rate", with(func(c *queue.Counts) { c.Limited, c.Taken, c.Done, c.Ready = now.Add(time.Hour), 6, 6, 3 }), 0, StateRunning,
			"UNFINISHED: 3 items are left; worker.rate holds items back, and allows the next one at " + Clock(now.Add(time.Hour))},
		{"held back by the rate, while an item runs", with(func(c *queue.Counts) { c.Limited, c.Taken, c.Done, c.Leased, c.Ready = recent, 7, 6, 1, 2 }), 0, StateRunning,
			"UNFINISHED: 3 items are left; worker.rate holds items back, and allows the next one at " + Clock(recent)},
		{"not held back any more", with(func(c *queue.Counts) {
			c.Limited, c.Taken, c.Done, c.Leased, c.Ready = now.Add(-time.Minute), 7, 6, 1, 2
		}), 0, StateRunning,
			"UNFINISHED: 3 items are left"},
		{"only delayed items", with(func(c *queue.Counts) { c.NextDue, c.Done, c.Delayed = long, 6, 3 }), 0, StateRunning,
			"UNFINISHED: 3 items are left, all delayed; the next is due at 2026-01-02 03:04:05 UTC"},
	} {
		c := Conclude(test.counts, queue.Portion{Items: test.maxDead})
		if c.State != test.state || c.Line() != test.line {
			t.Errorf("%s: %s: %s; want %s: %s", test.name, c.State, c.Line(), test.state, test.line)
		}
	}
}

func TestCourseConcludes(t *testing.T) {
	began := time.Unix(1700000000, 0)
	var course Course
	if got := course.Conclude(queue.Counts{}, queue.Portion{}); got.State != StateUnseeded {
		t.Errorf("a queue that nobody has seen is %s", got.State)
	}
	for i := range 31 {
		course.Saw(queue.Counts{Exists: true, Taken: 100, Done: i, Leased: 100 - i, Now: began.Add(time.Duration(i) * time.Second), Started: began,
			LastCall: began.Add(time.Duration(i) * time.Second)})
	}
	const want = "30 of 100 done, 0 dead, 70 leased, 1.0/s; 70 items are left, which takes about 70 s"
	if got := course.Progress(queue.Portion{}); got != want {
		t.Errorf("progress: %s; want %s", got, want)
	}
	course.Saw(queue.Counts{Exists: true, Taken: 100, Done: 30, Leased: 60, Cancelled: 10, Now: began.Add(31 * time.Second), Started: began})
	if got, want := course.Progress(queue.Portion{}), "30 of 100 done, 0 dead, 10 cancelled, 60 leased, "; !strings.HasPrefix(got, want) {
		t.Errorf("progress: %s; want %s", got, want)
	}
	if got := course.PerSecond(); got > 1 {
		t.Errorf("with cancelled items the rate is %.1f/s", got)
	}
	if got := course.Conclude(queue.Counts{}, queue.Portion{}); got.State != StateVanished || got.Sentence() != "The queue has vanished: Redis lost its data, or the run's records have expired." {
		t.Errorf("a queue that was there: %s: %s", got.State, got.Sentence())
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

// TestDurationsAndRates: no figure is rounded to nothing. A test of the page holds its durations against these.
func TestDurationsAndRates(t *testing.T) {
	for took, want := range map[time.Duration]string{0: "<1 ms", 8 * time.Millisecond: "8 ms", 999_400 * time.Microsecond: "999 ms", 999_600 * time.Microsecond: "1.0 s",
		83 * time.Second: "83 s", 5000 * time.Second: "83 min", 28 * time.Hour: "28.0 h"} {
		if got := Duration(took); got != want {
			t.Errorf("%v is written %s, want %s", took, got, want)
		}
	}
	for perSecond, want := range map[float64]string{0: "0.0/s", 1125: "1125.0/s", .1: "0.1/s", 1. / 60: "1.0/min", 3. / 3600: "3.0/h"} {
		if got := Rate(perSecond); got != want {
			t.Errorf("%v a second are written %s, want %s", perSecond, got, want)
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
		var course Course
		for i := range test.seconds {
			now := began.Add(time.Duration(i) * time.Second)
			course.Saw(queue.Counts{Exists: true, Now: now, Started: began, Done: test.done(i)})
		}
		if got := course.PerSecond(); got < 0.9*test.want || got > 1.1*test.want+0.001 {
			t.Errorf("%s: %.3f/s, want %.3f", test.name, got, test.want)
		}
		if len(course.seen) > 200 {
			t.Errorf("%s: %d moments are kept", test.name, len(course.seen))
		}
	}
}

// TestReportFitsAScreen: with everything there is to say it has 24 lines, none of which a terminal of usual width wraps twice.
func TestReportFitsAScreen(t *testing.T) {
	long := strings.Repeat("very ", 100) + "long"
	dead := Dead{record.Failures{Read: 5000, Next: "1-0", Others: 100}, map[string]record.Record{}}
	for i := range 100 {
		key := fmt.Sprint(i, "-0")
		dead.failures.Failures = append(dead.failures.Failures, record.Failure{Failure: fmt.Sprint(i, long), Count: 100 - i, Key: key})
		dead.examples[key] = record.Record{ID: "7", Payload: record.Payload{Item: long}, Attempt: record.Attempt{Reason: long, Host: "here", Output: "a\nb\nc\n" + long}}
	}
	began := time.Unix(1700000000, 0)
	counts := queue.Counts{Exists: true, Seeded: 9, Taken: 300_005, Ready: 4, Dead: 300_000, Failed: 3, Expired: 1, Started: began, Now: began.Add(time.Hour)}
	var out strings.Builder
	if err := Print(&out, "q", counts, queue.Portion{}, dead, Conclude(counts, queue.Portion{})); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(lines) > 24 {
		t.Errorf("the report has %d lines:\n%s", len(lines), &out)
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > 190 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	for _, part := range []string{"Dead items by kind of failure, of the latest 5,000:\n  100 × 0very", "  4,703 of other kinds\n  worker dead prints all\nFAILED: the counts do not add up: 300,009 items came in, 300,004 are known\n"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the report does not say %q:\n%s", part, &out)
		}
	}
}

// TestEndedIsNotDone: dead items have ended and are not done, and cancelled ones are not to be done.
func TestEndedIsNotDone(t *testing.T) {
	for _, test := range []struct {
		name        string
		counts      queue.Counts
		done, ended float64
	}{
		{"all dead", queue.Counts{Taken: 300_000, Dead: 300_000}, 0, 100},
		{"half cancelled", queue.Counts{Taken: 10, Done: 5, Cancelled: 5}, 100, 100},
		{"all cancelled", queue.Counts{Taken: 10, Cancelled: 10}, 0, 100},
		{"one is left", queue.Counts{Taken: 300_000, Done: 299_999, Leased: 1}, 99.9, 99.9},
		{"one is dead", queue.Counts{Taken: 300_000, Done: 299_999, Dead: 1}, 99.9, 100},
		{"nothing", queue.Counts{}, 0, 0},
	} {
		if done, ended := DonePercent(test.counts), EndedPercent(test.counts); done != test.done || ended != test.ended {
			t.Errorf("%s: %v %% done, %v %% ended; want %v and %v", test.name, done, ended, test.done, test.ended)
		}
	}
}

// TestWallTimeEnds: a run that has ended takes no longer, however late it is looked at.
func TestWallTimeEnds(t *testing.T) {
	began := time.Unix(1700000000, 0)
	late, ended := began.Add(time.Hour), began.Add(time.Minute)
	for name, c := range map[string]queue.Counts{
		"drained": {Started: began, Finished: ended, Now: late},
		"stopped": {Started: began, Stopped: true, StoppedAt: ended, Leased: 2, Now: late},
	} {
		if got := WallTime(c); got != time.Minute {
			t.Errorf("%s: it took %v", name, got)
		}
	}
}

// TestEveryStateIsDescribed: the table of states has each once.
func TestEveryStateIsDescribed(t *testing.T) {
	source, err := os.ReadFile("state.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\tState\w+ +State = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		if kind := State(name[1]).Kind(); kind.Meaning == "" || kind.Verdict == "" {
			t.Errorf("%s is not described", name[1])
		}
	}
}
