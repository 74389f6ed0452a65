package monitor

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// TestHistoryOfARelease: the history has the runs of the release and no others, those that have not started first, then
// the latest; each can be opened.
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
		got = append(got, fmt.Sprintf("%s %s: %d items, %d done, %d dead, %t %t", run.Queue, run.State, run.Total, run.Done, run.Dead, run.Started != nil, run.Finished != nil))
		if shot := fetch[Snapshot](t, server.URL+"/api/counts?queue="+run.Queue); shot.Queue != run.Queue || shot.Dead != run.Dead {
			t.Errorf("the run %s opens as %+v", run.Queue, shot)
		}
	}
	want := []string{
		"ns/fruits-0000000003 running: 3 items, 0 done, 0 dead, false false",
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
