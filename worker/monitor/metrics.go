package monitor

import (
	"net/http"

	"github.com/workqueue/workqueue/worker/metrics"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
)

// serveMetrics writes the counts of the run that opens for Prometheus.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	run := s.opening(r.Context())
	c, err := run.queue.Counts(r.Context())
	if err != nil {
		unavailable(w, err)
		return
	}
	page := metrics.NewPage(w, run.queue.Name)
	page.Family("workqueue_items", "gauge", "Items by state.")
	for _, state := range queue.ItemStates {
		page.Sample("workqueue_items", float64(state.Of(c)), "state", state.Name)
	}
	page.Family("workqueue_run_state", "gauge", "1 for the state of the run.")
	now := run.sampler.conclude(c, s.MaxDead).State
	for _, kind := range report.States {
		page.Sample("workqueue_run_state", truth(kind.State == now), "state", string(kind.State))
	}
	page.Single("workqueue_items_ended", "gauge", "Items that are done, dead or cancelled.", float64(c.Ended()))
	page.Single("workqueue_items_added_total", "counter", "Items added so far.", float64(c.Total()))
	page.Single("workqueue_attempts_failed_total", "counter", "Failed attempts that were followed by another.", float64(c.Failed))
	page.Single("workqueue_leases_expired_total", "counter", "Leases that expired: their workers died or were away.", float64(c.Expired))
	page.Single("workqueue_sealed", "gauge", "1 if no more items can come.", truth(c.Sealed))
	page.Single("workqueue_drained", "gauge", "1 if the run is drained.", truth(c.Drained()))
	page.Single("workqueue_paused", "gauge", "1 if the run is paused.", truth(c.Paused))
	page.Single("workqueue_stopped", "gauge", "1 if the run was stopped early because too many items are dead.", truth(c.Stopped))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
