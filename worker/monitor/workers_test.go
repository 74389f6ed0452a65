package monitor

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

// TestWorkers: the table has each worker that holds a lease, and each that has called lately, with what it reports of itself.
func TestWorkers(t *testing.T) {
	s, _ := fill(t, 20, 0)
	monitor := httptest.NewServer(s.Handler())
	defer monitor.Close()
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, name := range []string{"pod-a.k3x9", "pod-b.m1n2"} {
		session := s.first().queue.NewSession(name, queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3})
		for range 2 {
			if _, err := session.Exchange(t.Context(), queue.Request{Want: 2}); err != nil {
				t.Fatal(err)
			}
		}
	}
	status := dispatch.Status{Pod: "pod-a", Node: "n1", Started: began, Done: 101, Failed: 3, Dead: 2, Rate: .5, Running: 1, Recent: []float64{1, 2, 30},
		Item:      &dispatch.RunningItem{ID: "2", Attempt: 1, Since: began, Payload: record.Payload{Item: "slow"}},
		LastError: &dispatch.LastError{At: began, ItemID: "7", Reason: "exit code 1"}}
	encoded, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	for name, status := range map[string]string{"pod-a.k3x9": string(encoded), "pod-c.idle": `{"pod":"pod-c"}`, "pod-d.odd": "no JSON"} {
		session := s.first().queue.NewSession(name, queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3})
		session.Settings = `[{"name":"worker.lease","value":"45s"}]`
		for range 2 { // the second call has a number that is not lower
			if _, err := session.Exchange(t.Context(), queue.Request{Status: status}); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := fetch[Workers](t, monitor.URL+"/api/workers")
	if len(all.Workers) != 4 {
		t.Fatalf("%d workers: %+v", len(all.Workers), all)
	}
	a, b := all.Workers[0], all.Workers[1]
	if a.Pod != "pod-a" || a.Node != "n1" || a.Leased != 4 || a.Item.ID != "2" || a.Item.Item != "slow" || a.Done != 101 || a.Dead != 2 || a.Rate != .5 ||
		a.LastError == nil || a.LastError.Reason != "exit code 1" || !a.Started.Equal(began) || a.Expires == nil || a.Recent != nil {
		t.Errorf("the worker with a status is %+v", a)
	}
	if b.Pod != "pod-b" || b.Worker != "pod-b.m1n2" || b.Leased != 4 || b.Item == nil || b.Done != 0 || b.LastError != nil {
		t.Errorf("the worker without a status is %+v", b)
	}
	if c, d := all.Workers[2], all.Workers[3]; c.Pod != "pod-c" || c.Item != nil || c.Expires != nil || d.Pod != "pod-d" {
		t.Errorf("idle workers are %+v and %+v", c, d)
	}
	if all.Running != nil {
		t.Errorf("%d items run, though two workers report nothing of it", *all.Running)
	}
	if l := all.Latency; l.Attempts != 3 || l.P50 != 2 || l.Max != 30 {
		t.Errorf("the latency is %+v", l)
	}
	if len(all.Settings) != 1 || all.Settings[0].Value != "45s" {
		t.Errorf("the settings are %+v", all.Settings)
	}
	for _, name := range []string{"pod-b.m1n2", "pod-d.odd"} {
		session := s.first().queue.NewSession(name, queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3})
		for range 2 {
			if _, err := session.Exchange(t.Context(), queue.Request{Status: `{"pod":"pod","running":3}`}); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, err = ReadWorkers(t.Context(), s.first().queue)
	if err != nil || all.Running == nil || *all.Running != 1+3+3 {
		t.Errorf("once all report: %v, %v", all.Running, err)
	}
}
