package dispatch

import (
	"net/http"
	"time"

	"github.com/workqueue/workqueue/worker/metrics"
)

// Stats counts what a worker has done and is doing.
type Stats struct {
	Done, Failed, Dead int // Failed counts attempts, including those that ended in a death
	Snoozed            int // attempts after which the command asked for "later"
	Returned           int // items that went back to the queue without an attempt
	Lost               int // items whose lease was lost
	LostLeases         int
	Running            int // items that the handler has

	items metrics.Histogram // durations of attempts
	calls metrics.Histogram // durations of calls to the queue
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

// Stats returns what the worker has done so far. It may be called at any time.
func (w *Worker) Stats() Stats {
	if s := w.stats.Load(); s != nil {
		return *s
	}
	return newStats()
}

// ServeMetrics responds to a scrape with the worker's own metrics.
func (w *Worker) ServeMetrics(out http.ResponseWriter, queueName string) {
	s := w.Stats()
	page := metrics.NewPage(out, queueName)
	page.Family("workqueue_worker_items_total", "counter", "Outcomes of the items that this worker had.")
	for _, outcome := range []struct {
		name  string
		count int
	}{
		{"done", s.Done}, {"failed", s.Failed - s.Dead}, {"dead", s.Dead}, {"snoozed", s.Snoozed}, {"returned", s.Returned}, {"lost", s.Lost},
	} {
		page.Sample("workqueue_worker_items_total", float64(outcome.count), "outcome", outcome.name)
	}
	page.Histogram("workqueue_worker_item_seconds", "How long attempts took.", &s.items)
	page.Histogram("workqueue_worker_call_seconds", "How long calls to Redis took.", &s.calls)
	page.Single("workqueue_worker_leases_lost_total", "counter", "Leases that expired while this worker held them.", float64(s.LostLeases))
	page.Single("workqueue_worker_running", "gauge", "Items that the command has now.", float64(s.Running))
}
