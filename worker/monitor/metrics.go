package monitor

import (
	"net/http"

	"github.com/workqueue/workqueue/worker/metrics"
)

// serveMetrics writes the counts for Prometheus.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	c, err := s.Queue.Counts(r.Context())
	if err != nil {
		unavailable(w, err)
		return
	}
	page := metrics.NewPage(w, s.Queue.Name)
	page.Family("workqueue_items", "gauge", "Items by state.")
	for _, state := range []struct {
		name  string
		count int
	}{{"ready", c.Ready}, {"leased", c.Leased}, {"delayed", c.Delayed}, {"suspect", c.Suspects}, {"dead", c.Dead}, {"done", c.Done}} {
		page.Sample("workqueue_items", float64(state.count), "state", state.name)
	}
	page.Single("workqueue_items_added_total", "counter", "Items that were ever put in.", float64(c.Total()))
	page.Single("workqueue_attempts_failed_total", "counter", "Failed attempts that were followed by another.", float64(c.Failed))
	page.Single("workqueue_leases_expired_total", "counter", "Leases that ran out: workers that died or were away.", float64(c.Expired))
	page.Single("workqueue_sealed", "gauge", "1 if nothing more will come.", truth(c.Sealed))
	page.Single("workqueue_drained", "gauge", "1 if the run is over.", truth(c.Drained()))
	page.Single("workqueue_paused", "gauge", "1 if nothing is leased until somebody resumes.", truth(c.Paused))
	page.Single("workqueue_stopped", "gauge", "1 if the run was stopped early, with too many dead items.", truth(c.Stopped))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
