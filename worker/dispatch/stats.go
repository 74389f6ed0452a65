package dispatch

import (
	"net/http"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/metrics"
)

// Stats is what a worker did so far, and does now. The dispatcher counts in its own, and lets others have a copy.
type Stats struct {
	Done, Failed, Dead int // Failed counts attempts, those before a death among them
	Snoozed            int // attempts that did not count, as their command said
	Returned           int // items that were not started, or not finished, when the worker had to end
	Lost               int // items whose lease was lost
	LostLeases         int
	Running            int // items that the handler has

	items metrics.Histogram // their durations
	calls metrics.Histogram // of the queue
}

func newStats() Stats {
	const ms = time.Millisecond
	return Stats{
		items: metrics.NewHistogram(ms, 5*ms, 10*ms, 50*ms, 100*ms, 500*ms, time.Second, 5*time.Second, 10*time.Second,
			30*time.Second, time.Minute, 5*time.Minute, 10*time.Minute, 30*time.Minute, time.Hour),
		calls: metrics.NewHistogram(ms/2, ms, 5*ms/2, 5*ms, 10*ms, 25*ms, 50*ms, 100*ms, 250*ms, 500*ms, time.Second,
			5*time.Second, 10*time.Second),
	}
}

// attempt takes in how long an attempt took, if it came to its end.
func (s *Stats) attempt(a *attempt) {
	if ran(a) {
		s.items.Add(a.Duration, 1)
	}
}

// published is the Stats that others may see.
type published struct {
	mu    sync.Mutex
	known bool // there are some
	stats Stats
}

func (p *published) set(s *Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats, p.known = *s, true
}

// Stats tells what the worker did so far. It may be called at any time.
func (w *Worker) Stats() Stats {
	w.published.mu.Lock()
	defer w.published.mu.Unlock()
	if !w.published.known {
		return newStats()
	}
	return w.published.stats
}

// ServeMetrics answers a scrape with the worker's own metrics.
func (w *Worker) ServeMetrics(out http.ResponseWriter, queueName string) {
	s := w.Stats()
	page := metrics.NewPage(out, queueName)
	page.Family("workqueue_worker_items_total", "counter", "What became of the items that this worker had.")
	for _, outcome := range []struct {
		name  string
		count int
	}{
		{"done", s.Done}, {"failed", s.Failed - s.Dead}, {"dead", s.Dead}, {"snoozed", s.Snoozed}, {"returned", s.Returned}, {"lost", s.Lost},
	} {
		page.Sample("workqueue_worker_items_total", float64(outcome.count), "outcome", outcome.name)
	}
	page.Histogram("workqueue_worker_item_seconds", "How long attempts took.", &s.items)
	page.Histogram("workqueue_worker_call_seconds", "How long Redis took to answer an exchange.", &s.calls)
	page.Single("workqueue_worker_leases_lost_total", "counter", "Leases that ran out while this worker had them.", float64(s.LostLeases))
	page.Single("workqueue_worker_running", "gauge", "Items that its command has now.", float64(s.Running))
}
