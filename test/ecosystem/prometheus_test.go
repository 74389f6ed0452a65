package ecosystem

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestPrometheus has the Prometheus Operator configure Prometheus by the chart's PodMonitors and alerts. Two namespaces have the same release
// with the same items: in one the items fail. Its alerts fire, those of the other do not, and the dashboard's queries return something. A third one
// has a schedule, and its run fails.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	needs(t, "prometheus", "customresourcedefinition/prometheuses.monitoring.coreos.com")
	monitored := func(name string, more map[string]string) *release {
		values := map[string]string{
			"worker.image":                         image(t),
			"worker.command":                       script("sleep 4; test $1 != grape"),
			"worker.deadExitCodes":                 "[1]",
			"worker.metrics.enabled":               "true",
			"worker.metrics.podMonitor":            `{"enabled": true, "interval": "2s", "labels": {"prometheus": "test"}}`,
			"monitor.podMonitor":                   `{"enabled": true, "interval": "2s", "labels": {"prometheus": "test"}}`,
			"monitor.prometheusRule":               `{"enabled": true, "labels": {"prometheus": "test"}}`,
			"networkPolicy.metricsClients":         `[{"namespaceSelector": {}}]`,
			"monitor.clients":                      `[{"namespaceSelector": {}}]`,
			"worker.terminationGracePeriodSeconds": "10",
		}
		maps.Copy(values, more)
		return newRelease(t, name, examples+"fruits.yaml", values)
	}
	bad := monitored("alerting", map[string]string{"worker.stopAfterDead": "0"})
	good := monitored("quiet", map[string]string{"worker.command": script("sleep 4")})
	both := []*release{bad, good}
	scheduled := monitored("scheduled", map[string]string{"schedule": "0 0 1 1 *"})
	scheduled.helm("install")
	for _, r := range both {
		// Nobody works until Prometheus knows of the release: that may take it a minute.
		r.values["worker.parallelism"] = "0"
		r.helm("install")
	}
	for _, r := range both {
		r.query(1, `up{namespace="NAMESPACE", job="NAMESPACE/run-monitor", container="monitor"} == 1`)
		r.alert("WorkqueueStalled", "pending")
	}
	for _, r := range both {
		r.values["worker.parallelism"] = "2"
		r.helm("upgrade")
		r.alert("WorkqueueStalled", "inactive")
	}
	for _, r := range both {
		// The workers may have ended.
		r.query(2, `max_over_time(up{namespace="NAMESPACE", job="NAMESPACE/run-worker", container="worker"}[1h]) == 1`)
		r.query(1, `sum(max_over_time(workqueue_worker_items_total{namespace="NAMESPACE", outcome="done"}[1h])) > 0`)
		r.query(1, `workqueue_items{namespace="NAMESPACE", state="done"} > 0`)
	}
	for _, query := range dashboard(t) {
		good.query(1, strings.ReplaceAll(strings.ReplaceAll(query, "$queue", good.queue()), "$namespace", "NAMESPACE"))
	}

	scheduled.query(1, `workqueue_run_state{namespace="NAMESPACE", state="unseeded"} == 1`)
	for _, name := range []string{"WorkqueueNoMonitor", "WorkqueueRunFailed", "WorkqueueRunNotSeeded"} {
		scheduled.alert(name, "inactive")
	}
	scheduled.Must("create", "job", "--from=cronjob/run", "run-now")
	scheduled.alert("WorkqueueRunFailed", "firing")
	scheduled.alert("WorkqueueDeadItems", "firing")

	bad.query(1, `workqueue_items{namespace="NAMESPACE", state="dead"} == 1`)
	bad.alert("WorkqueueDeadItems", "firing")
	good.query(1, `workqueue_items{namespace="NAMESPACE", state="done"} == 9`)
	for _, name := range []string{"WorkqueueDeadItems", "WorkqueueStopped", "WorkqueueStalled", "WorkqueueNoMonitor"} {
		good.alert(name, "inactive")
	}
	bad.alert("WorkqueueStopped", "inactive")
	bad.alert("WorkqueueStalled", "inactive")
}

// dashboard has the queries of the chart's dashboard.
func dashboard(t *testing.T) (queries []string) {
	t.Helper()
	text, err := os.ReadFile(chart + "/files/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, target.Expr)
		}
	}
	return queries
}

// prometheus asks Prometheus, through the API server.
func (r *release) prometheus(path string, into any) error {
	out, err := r.Try("get", "--raw", "/api/v1/namespaces/default/services/prometheus-operated:web/proxy/api/v1/"+path)
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return json.Unmarshal([]byte(out), into)
}

// query waits until a query, with the release's namespace in place of NAMESPACE, returns at least so many series.
func (r *release) query(series int, text string) {
	r.Helper()
	text = strings.ReplaceAll(text, "NAMESPACE", r.Kubectl.Namespace)
	var result struct {
		Data struct{ Result []json.RawMessage }
	}
	var err error
	eventually(r.T, text, func() bool {
		err = r.prometheus("query?query="+url.QueryEscape(text), &result)
		return err == nil && len(result.Data.Result) >= series
	}, func() string { return fmt.Sprintf("the query returns %s, %v", result.Data.Result, err) })
}

// alert waits until an alert of the release is in a state: inactive, pending or firing.
func (r *release) alert(name, state string) {
	r.Helper()
	type rule struct{ Name, State, Health, LastError, Query string }
	var rules []rule
	var err error
	eventually(r.T, fmt.Sprintf("the alert %s is %s", name, state), func() bool {
		var answer struct {
			Data struct {
				Groups []struct {
					File  string
					Rules []rule
				}
			}
		}
		err, rules = r.prometheus("rules", &answer), nil
		for _, group := range answer.Data.Groups {
			if strings.Contains(group.File, r.Kubectl.Namespace) {
				rules = append(rules, group.Rules...)
			}
		}
		return slices.ContainsFunc(rules, func(found rule) bool { return found.Name == name && found.State == state && found.Health == "ok" })
	}, func() string { return fmt.Sprintf("its rules are %+v, %v", rules, err) })
}

// queue is the name of the run's queue.
func (r *release) queue() string {
	r.Helper()
	var snapshot struct{ Queue string }
	out := r.Must("get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/services/run-monitor:http/proxy/api/counts", r.Kubectl.Namespace))
	if err := json.Unmarshal([]byte(out), &snapshot); err != nil {
		r.Fatal(err)
	}
	return snapshot.Queue
}
