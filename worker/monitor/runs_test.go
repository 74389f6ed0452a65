package monitor

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
	"github.com/workqueue/workqueue/worker/report"
)

// TestHistoryOfARelease: the history has the runs of the release and no others, the latest first; each can be opened.
func TestHistoryOfARelease(t *testing.T) {
	client := redistest.Start(t).Client()
	t.Cleanup(func() { client.Close() })
	for i, name := range []string{"ns/fruits-0000000001", "ns/fruits-0000000002", "ns/fruits-0000000003", "fruits-0000000004",
		"ns/fruits-dried-0000000005", "ns/fruits-0000000006-x", "ns/fruits.0000000007"} {
		q := queue.New(client, name)
		seed(t, q, 3)
		switch i {
		case 0:
			settle(t, q, 3, queue.ItemOutcome{Outcome: queue.OutcomeDead, Text: deadReport})
		case 1:
			settle(t, q, 2, queue.ItemOutcome{Outcome: queue.OutcomeDead, Text: deadReport})
			settle(t, q, 1, queue.ItemOutcome{Outcome: queue.OutcomeDone, Text: deadReport})
		}
		session := q.NewSession("w.x", queue.Limits{Lease: 1e9, BatchBytes: 1, MaxCrashes: 1})
		if i < 2 { // sees the end
			if _, err := session.Exchange(t.Context(), queue.Request{Want: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := &Server{Redis: client, Queue: "ns/fruits-0000000002", MaxDead: queue.Portion{Items: 2}, Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	var got []string
	for _, run := range fetch[[]Run](t, server.URL+"/api/runs") {
		got = append(got, fmt.Sprintf("%s %s: %d items, %d done, %d dead, %t %t", run.Queue, run.State, run.Total, run.Items["done"], run.Items["dead"], run.Started != nil, run.Finished != nil))
		if shot := fetch[Snapshot](t, server.URL+"/api/counts?queue="+run.Queue); shot.Queue != run.Queue || shot.Items["dead"] != run.Items["dead"] {
			t.Errorf("the run %s opens as %+v", run.Queue, shot)
		}
	}
	want := []string{
		"ns/fruits-0000000003 waiting: 3 items, 0 done, 0 dead, false false",
		"ns/fruits-0000000002 done: 3 items, 1 done, 2 dead, true true",
		"ns/fruits-0000000001 failed: 3 items, 0 done, 3 dead, true true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the history is\n%q\nwant\n%q", got, want)
	}
	for _, foreign := range []string{"fruits-0000000004", "ns/fruits-dried-0000000005", "ns/fruits-0000000006-x"} {
		if code, _ := get(t, server.URL+"/api/counts?queue="+foreign); code != http.StatusNotFound {
			t.Errorf("%s is a run of another release: status %d", foreign, code)
		}
	}
}

// TestTheLatestRunOpens: the run that the monitor was started for opens if Redis has it, else the latest of the release.
func TestTheLatestRunOpens(t *testing.T) {
	client := redistest.Start(t).Client()
	t.Cleanup(func() { client.Close() })
	s := &Server{Redis: client, Queue: "fruits", Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	opens := func() string { return fetch[Snapshot](t, server.URL+"/api/counts").Queue }
	if got := opens(); got != "fruits" {
		t.Errorf("with no run at all %s opens", got)
	}
	s.runs.all = recent[[]Run]{}
	seed(t, queue.New(client, "fruits-0000000001"), 1)
	if got := opens(); got != "fruits-0000000001" {
		t.Errorf("with one former run %s opens", got)
	}
	seed(t, queue.New(client, "fruits"), 1)
	if got := opens(); got != "fruits" {
		t.Errorf("with its own run %s opens", got)
	}
}

// TestTheLatestRunOfAScheduleOpens: the monitor of a schedule is started for no run, and turns to each that begins.
func TestTheLatestRunOfAScheduleOpens(t *testing.T) {
	client := redistest.Start(t).Client()
	t.Cleanup(func() { client.Close() })
	s := &Server{Redis: client, Queue: "ns/nightly:*", Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	page, err := http.Get(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	names := []string{"ns/nightly-0123456789", "ns/nightly:nightly-1:11111", "ns/nightly:again:22222", "ns/nightly-eu:again:33333", "ns/nightly:again"}
	for _, name := range names {
		seed(t, queue.New(client, name), 1)
		time.Sleep(2 * time.Millisecond) // by which the next one is the latest
	}
	if _, err := io.ReadAll(page.Body); err != nil {
		t.Errorf("a page that was open before the first run: %v", err)
	}
	s.runs.all = recent[[]Run]{}
	if got := fetch[Snapshot](t, server.URL+"/api/counts").Queue; got != names[2] {
		t.Errorf("%s opens", got)
	}
	if _, metrics := get(t, server.URL+"/metrics"); !strings.Contains(metrics, `queue="`+names[2]+`"`) {
		t.Errorf("the metrics are those of another run:\n%s", metrics)
	}
	if _, metrics := get(t, server.URL+"/metrics"); strings.Count(metrics, "workqueue_run_state{") != len(report.States) {
		t.Errorf("the run is not in one of %d states:\n%s", len(report.States), metrics)
	}
	var got []string
	for _, run := range fetch[[]Run](t, server.URL+"/api/runs") {
		got = append(got, run.Queue)
	}
	if want := []string{names[2], names[1], names[0]}; !slices.Equal(got, want) {
		t.Errorf("the history is %q, want %q", got, want)
	}
	if latest, err := Latest(t.Context(), client, "ns/nightly:"); err != nil || latest != names[4] {
		t.Errorf("the latest is %q, %v", latest, err)
	}

	// A run whose list could not be read has a queue in the metrics too: an alert asks for it.
	const unread = "ns/nightly:unread:44444"
	lease := queue.New(client, unread).NewSeedLease("items", time.Minute)
	if outcome, _, _, err := lease.Take(t.Context()); err != nil || outcome != queue.SeedLeased {
		t.Fatalf("the lease to seed is %s, %v", outcome, err)
	}
	if err := lease.Fail(t.Context(), time.Minute, "no such file"); err != nil {
		t.Fatal(err)
	}
	s.runs.all = recent[[]Run]{}
	if _, metrics := get(t, server.URL+"/metrics"); !strings.Contains(metrics, fmt.Sprintf(`workqueue_run_state{queue=%q,state="seeding"} 1`, unread)) {
		t.Errorf("the run that was never seeded is not in the metrics:\n%s", metrics)
	}
}

// TestManyRunsAreNotKept: looking at very many runs does not fill the memory, and a run that is watched is kept.
func TestManyRunsAreNotKept(t *testing.T) {
	s := &Server{Queue: "fruits", Redis: redistest.Start(t).Client(), Log: slog.New(slog.DiscardHandler)}
	defer s.Redis.Close()
	first := s.first()
	defer first.watch(s.Log)()
	for i := range 10 * runsKept {
		s.run(fmt.Sprintf("fruits-%010x", i))
	}
	if len(s.runs.seen) > runsKept {
		t.Errorf("%d runs are kept", len(s.runs.seen))
	}
	if s.first() != first {
		t.Error("the run that is watched was dropped")
	}
}
