package monitor

import (
	"fmt"
	"net/http"
	"strings"
)

// serveMetrics writes the counts in Prometheus' text format,
// https://prometheus.io/docs/instrumenting/exposition_formats/.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	c, err := s.Queue.Counts(r.Context())
	if err != nil {
		unavailable(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	queue := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s.Queue.Name)
	family := func(name, kind, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	single := func(name, kind, help string, value float64) {
		family(name, kind, help)
		fmt.Fprintf(w, "%s{queue=\"%s\"} %g\n", name, queue, value)
	}
	family("workqueue_items", "gauge", "Items by state.")
	for _, state := range []struct {
		name  string
		count int
	}{{"ready", c.Ready}, {"leased", c.Leased}, {"delayed", c.Delayed}, {"suspect", c.Suspects}, {"dead", c.Dead}, {"done", c.Done}} {
		fmt.Fprintf(w, "workqueue_items{queue=\"%s\",state=\"%s\"} %d\n", queue, state.name, state.count)
	}
	single("workqueue_items_added_total", "counter", "Items that were ever put in.", float64(c.Total()))
	single("workqueue_attempts_failed_total", "counter", "Failed attempts that were followed by another.", float64(c.Retried))
	single("workqueue_leases_expired_total", "counter", "Leases that ran out: workers that died or were away.", float64(c.Expired))
	single("workqueue_sealed", "gauge", "1 if nothing more will come.", truth(c.Sealed))
	single("workqueue_drained", "gauge", "1 if the run is over.", truth(c.Drained()))
	single("workqueue_paused", "gauge", "1 if nothing is leased until somebody resumes.", truth(c.Paused))
	single("workqueue_stopped", "gauge", "1 if the run was stopped early, with too many dead items.", truth(c.Stopped))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
