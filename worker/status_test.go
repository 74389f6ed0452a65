package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/monitor"
	"github.com/workqueue/workqueue/worker/report"
)

// TestEveryStateHasAnExitCode: 0 is success alone, and what has not ended is told from what has failed.
func TestEveryStateHasAnExitCode(t *testing.T) {
	for _, kind := range report.States {
		code, known := stateCodes[kind.State]
		switch {
		case !known:
			t.Errorf("the state %s has no exit code", kind.State)
		case exitMeanings[code] == "":
			t.Errorf("the state %s has the exit code %d, which has no meaning", kind.State, code)
		case (code == exitOK) != (kind.Verdict == report.OK), (code == exitUnfinished) != (kind.Verdict == report.Unfinished):
			t.Errorf("the state %s (%s) has the exit code %d", kind.State, kind.Verdict, code)
		}
	}
	if len(stateCodes) != len(report.States) {
		t.Errorf("%d exit codes for %d states", len(stateCodes), len(report.States))
	}
}

// TestTroubleshootingHasEveryState: with its exit code. One look cannot show that a queue has vanished.
func TestTroubleshootingHasEveryState(t *testing.T) {
	page, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for state, code := range stateCodes {
		if row := fmt.Sprintf("\n| `%s` | %d | ", state, code); strings.Contains(string(page), row) == (state == report.StateVanished) {
			t.Errorf("the table of docs/troubleshooting.md: %q", row)
		}
	}
}

func TestLate(t *testing.T) {
	for _, test := range []struct {
		age      time.Duration
		p95      float64
		attempts int
		want     int
	}{
		{time.Hour, 0, 0, 0}, // nothing to compare it with
		{time.Hour, 30, 100, 120},
		{4 * time.Minute, 30, 100, 0},
		{4 * time.Second, .1, 100, 0}, // not long to wait
		{6 * time.Second, .1, 100, 60},
		{6 * time.Second, 0, 1, 6000}, // p95 is below a millisecond
	} {
		if got := late(test.age, monitor.Latency{Attempts: test.attempts, P95: test.p95}); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{"fruits-00aa": "fruits-00aa", "nightly:a:12345": "nightly:a:12345", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$x": "'$x'"} {
		if got := quoted(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
