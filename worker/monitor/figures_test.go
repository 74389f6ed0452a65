package monitor

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
	"github.com/workqueue/workqueue/worker/report"
)

// figures writes a run all of whose figures are different and not zero, and returns its monitor. The fields are added to its state.
func figures(t *testing.T, fields ...any) string {
	t.Helper()
	client := redistest.Start(t).Client()
	t.Cleanup(func() { client.Close() })
	const key = "{" + testQueue + "}:"
	items := func(n int) (all []any) {
		for i := range n {
			all = append(all, fmt.Sprintf("%d:1:0:0:0:x", 1000+i))
		}
		return all
	}
	now := time.Now().UnixMilli()
	// 11 + 13 + 17 + 3 + 5 + 7 + 9 = 65, of which 41 have ended and 24 are open; 65 - 5 ready ones were taken.
	_, err := client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		pipe.HSet(t.Context(), key+"state", "epoch", "e", "taken", 60, "seeded", 64, "done", 11, "dead", 13, "cancelled", 17, "leased", 3,
			"failed", 23, "snoozed", 29, "returned", 31, "expired", 37, "revived", 43, "results_dropped", 47, "history_dropped", 53,
			"last_call", now, "started_at", now-60_000)
		pipe.HSet(t.Context(), key+"state", fields...)
		pipe.RPush(t.Context(), testQueue, items(5)...)
		pipe.RPush(t.Context(), key+"suspects", items(9)...)
		for i, item := range items(7) {
			pipe.ZAdd(t.Context(), key+"delayed", redis.Z{Score: float64(now + 3_600_000 + int64(i)), Member: item})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Redis: client, Queue: testQueue, Actions: true, MaxDead: queue.Portion{Items: 19}, Token: token, Log: slog.New(slog.DiscardHandler)}
	t.Cleanup(s.first().watch(s.Log))
	redistest.Eventually(t, "there is a sample", func() error {
		if !s.first().sampler.known() {
			return errors.New("none")
		}
		return nil
	})
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return server.URL
}

// TestEveryFigureOfTheCounts asserts each field of a snapshot, so that no field can stand for another.
func TestEveryFigureOfTheCounts(t *testing.T) {
	want := map[string]any{
		"queue": testQueue, "actions": true, "max_dead": 19., "state": "running", "pausable": true,
		"total": 65., "open": 24., "ended": 41., "done_percent": 22.9, "ended_percent": 63., "attempts": 11. + 13 + 43 + 23,
		"done": 11., "dead": 13., "cancelled": 17., "leased": 3., "ready": 5., "delayed": 7., "suspects": 9.,
		"failed": 23., "snoozed": 29., "returned": 31., "expired": 37., "revived": 43., "results_dropped": 47.,
		"sealed": true,
	}
	approximate := map[string]float64{"seconds": 60, "average": 24. / 60, "rate": 24. / 60, "left": 60}
	got := fetch[map[string]any](t, figures(t, "sealed", 1)+"/api/counts")
	for name, value := range got {
		about, isAbout := approximate[name]
		switch {
		case isAbout:
			if n, _ := value.(float64); n < about*.8 || n > about*1.25 {
				t.Errorf("%s is %v, want about %v", name, value, about)
			}
		case name == "now" || name == "started":
			at, err := time.Parse(time.RFC3339, fmt.Sprint(value))
			ago := map[string]time.Duration{"now": 0, "started": time.Minute}[name]
			if err != nil || (time.Since(at)-ago).Abs() > 20*time.Second {
				t.Errorf("%s is %v: %v", name, value, err)
			}
		case name == "summary":
			if !regexp.MustCompile(`^24 items are left, which takes about \d+ s; 13 items are dead\.$`).MatchString(fmt.Sprint(value)) {
				t.Errorf("summary is %v", value)
			}
		case want[name] != value:
			t.Errorf("%s is %v, want %v", name, value, want[name])
		}
		delete(want, name)
	}
	for name := range maps.Keys(want) {
		t.Errorf("%s is missing", name)
	}
}

// TestEveryMetric asserts each metric, and each flag while the others are not set.
func TestEveryMetric(t *testing.T) {
	line := regexp.MustCompile(`(?m)^(workqueue_\w+)\{queue="<job2>"(?:,state="(\w+)")?\} (\S+)$`)
	read := func(address string) map[string]float64 {
		values := map[string]float64{}
		_, page := get(t, address+"/metrics")
		for _, match := range line.FindAllStringSubmatch(page, -1) {
			values[match[1]+match[2]], _ = strconv.ParseFloat(match[3], 64)
		}
		return values
	}
	want := map[string]float64{"workqueue_items_added_total": 65, "workqueue_items_ended": 41, "workqueue_attempts_failed_total": 23, "workqueue_leases_expired_total": 37,
		"workqueue_sealed": 0, "workqueue_drained": 0, "workqueue_paused": 0, "workqueue_stopped": 0}
	for state, n := range map[string]float64{"done": 11, "dead": 13, "cancelled": 17, "leased": 3, "ready": 5, "delayed": 7, "suspects": 9} {
		want["workqueue_items"+state] = n
	}
	for _, kind := range report.States {
		want["workqueue_run_state"+string(kind.State)] = 0
	}
	for flag, state := range map[string]report.State{"": report.StateRunning, "sealed": report.StateRunning, "paused": report.StatePaused, "stopped": report.StateStopped} {
		wanted := maps.Clone(want)
		wanted["workqueue_run_state"+string(state)] = 1
		fields := []any{"other", 1}
		if flag != "" {
			fields = []any{flag, 1}
			wanted["workqueue_"+flag] = 1
		}
		if got := read(figures(t, fields...)); !maps.Equal(got, wanted) {
			t.Errorf("with %q:\n%v\nwant\n%v", flag, got, wanted)
		}
	}
	server, q := serve(t, 2, 2)
	if _, err := q.NewSession("w.x", queue.Limits{Lease: time.Minute, BatchBytes: 1, MaxCrashes: 1}).Exchange(t.Context(), queue.Request{Want: 1}); err != nil {
		t.Fatal(err)
	}
	if got := read(server.URL); got["workqueue_drained"] != 1 || got["workqueue_stopped"] != 0 || got["workqueue_run_statefailed"] != 1 {
		t.Errorf("drained, with dead items: %v", got)
	}
}

// TestLatencyIsThatOfItsShare: of a hundred attempts of 1 to 100 seconds each share has its own duration.
func TestLatencyIsThatOfItsShare(t *testing.T) {
	var seconds []float64
	for i := range 100 {
		seconds = append(seconds, float64(100-i))
	}
	if got, want := latency(seconds), (Latency{Attempts: 100, P50: 50, P95: 95, Max: 100}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestPauseMakesNoQueue: a run that never was is not paused, nor one that has ended.
func TestPauseMakesNoQueue(t *testing.T) {
	client := redistest.Start(t).Client()
	t.Cleanup(func() { client.Close() })
	s := &Server{Redis: client, Queue: "fruits", Actions: true, Token: token, Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	act := func(name, run string) (int, string) {
		return post(t, server.URL+"/api/"+name+"?queue="+run, "", "Authorization", "Bearer "+token)
	}
	for _, run := range []string{"fruits", "fruits-00000000aa"} {
		for _, action := range []string{"pause", "resume"} {
			if code, body := act(action, run); code != http.StatusNotFound || !strings.HasPrefix(body, "queue: there is no such run") {
				t.Errorf("%s of %s, which never was: status %d: %s", action, run, code, body)
			}
		}
		if err := queue.New(client, run).Pause(t.Context()); err != queue.ErrNoQueue {
			t.Errorf("a pause of a queue that is not there: %v", err)
		}
	}
	if keys := client.Keys(t.Context(), "*").Val(); len(keys) > 0 {
		t.Errorf("it has made %q", slices.Collect(slices.Values(keys)))
	}
	q := queue.New(client, "fruits-00000000bb")
	seed(t, q, 2)
	if code, body := act("pause", q.Name); code != http.StatusOK {
		t.Errorf("pause of a run that waits for workers: status %d: %s", code, body)
	}
	if code, body := act("resume", q.Name); code != http.StatusOK {
		t.Errorf("resume: status %d: %s", code, body)
	}
	settle(t, q, 2, queue.ItemOutcome{Outcome: queue.OutcomeDead, Text: deadReport})
	if code, body := act("pause", q.Name); code != http.StatusConflict {
		t.Errorf("pause of a run that has ended: status %d: %s", code, body)
	}
}
