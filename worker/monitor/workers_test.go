package monitor

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// TestWorkers: the table has each worker that holds a lease, with what its pod's records tell.
func TestWorkers(t *testing.T) {
	s, _ := fill(t, 20, 0)
	monitor := httptest.NewServer(s.Handler())
	defer monitor.Close()
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	attempt := func(pod string) func(int) string {
		return func(i int) string {
			return fmt.Sprintf(`{"reason":"reason %d","host":%q,"node":"n1","started":%q,"seconds":%d}`, i, pod, began.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i)
		}
	}
	item := func(int) string { return "x" }
	addRecords(t, s, "results", 101, item, attempt("pod-a"))
	addRecords(t, s, "dead", 2, item, attempt("pod-a"))
	addRecords(t, s, "dead", 1, item, attempt("pod-gone"))
	addRecords(t, s, "dead", 1, item, func(int) string { return "" }) // its worker died
	for _, name := range []string{"pod-a.k3x9", "pod-b.m1n2"} {
		session := s.first().queue.NewSession(name, queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3})
		for range 2 {
			if _, err := session.Exchange(t.Context(), queue.Request{Want: 2}); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := fetch[Workers](t, monitor.URL+"/api/workers")
	if len(all.Workers) != 2 {
		t.Fatalf("%d workers: %+v", len(all.Workers), all)
	}
	a, b := all.Workers[0], all.Workers[1]
	if a.Pod != "pod-a" || a.Node != "n1" || a.Leased != 4 || a.Item.ID != "1" || a.Done != 101 || a.Dead != 2 || a.Rate < .5 || a.Rate > .6 ||
		a.LastError == nil || a.LastError.Reason != "reason 1" || a.Since.IsZero() || !a.Expires.After(a.Since) {
		t.Errorf("the worker with records is %+v", a)
	}
	if b.Pod != "pod-b" || b.Worker != "pod-b.m1n2" || b.Leased != 4 || b.Done != 0 || b.LastError != nil {
		t.Errorf("the worker without records is %+v", b)
	}
	if l := all.Latency; l.Attempts != 104 || l.Done != 101 || l.P50 < 48 || l.P50 > 50 || l.P95 < 93 || l.P95 > 96 || l.Max != 100 {
		t.Errorf("the latency is %+v", l)
	}
}
