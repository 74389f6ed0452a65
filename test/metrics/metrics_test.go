// Package metrics scrapes the workers and the monitor as Prometheus does, and checks the metrics with promtool's linter.
package metrics

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/monitor"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// queueName must be escaped in a label.
const queueName = "a \"queue\" \\ of\nlines"

func TestMetrics(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	server := redistest.Start(t)
	client := server.Client()
	defer client.Close()
	q := queue.New(client, queueName)
	if _, err := q.NewPusher().Push(t.Context(), "good", "good", "bad"); err != nil {
		t.Fatal(err)
	}
	if err := q.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	command := handler.Command{Args: []string{"sh", "-c", "sleep 0.02; test $0 = good"},
		Output: &process.Output{Out: io.Discard, Err: io.Discard}}
	worker := &dispatch.Worker{
		Queue:   q,
		Handler: &handler.Exec{Command: command},
		Log:     quiet,
		Name:    dispatch.NewName("here"),
		Policy:  dispatch.Policy{Slots: 2, Fill: 1, MaxAttempts: 2, Limits: queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3}},
	}
	metrics := func(w http.ResponseWriter, _ *http.Request) { worker.ServeMetrics(w, queueName) }
	before := scrape(t, http.HandlerFunc(metrics))
	if err := worker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := scrape(t, http.HandlerFunc(metrics))

	for outcome, want := range map[string]float64{"done": 2, "failed": 1, "dead": 1, "snoozed": 0, "returned": 0, "lost": 0} {
		if got := value(t, after, "workqueue_worker_items_total", "outcome", outcome); got != want {
			t.Errorf("items %s: %v, not %v", outcome, got, want)
		}
	}
	if running := value(t, after, "workqueue_worker_running", "", ""); running != 0 {
		t.Errorf("running at the end: %v", running)
	}
	seconds := after["workqueue_worker_item_seconds"].Metric[0].Histogram
	if seconds.GetSampleCount() != 4 || seconds.GetSampleSum() < 4*0.02 {
		t.Errorf("seconds of 4 attempts: %v", seconds)
	}
	if calls := after["workqueue_worker_call_seconds"].Metric[0].Histogram; calls.GetSampleCount() == 0 || calls.GetSampleSum() == 0 {
		t.Errorf("no calls: %v", calls)
	}
	for name := range after {
		if before[name] == nil {
			t.Errorf("%s is missing before the first item", name)
		}
	}

	page := scrape(t, (&monitor.Server{Redis: client, Queue: queueName, Log: quiet}).Handler())
	if done := value(t, page, "workqueue_items", "state", "done"); done != 2 {
		t.Errorf("the monitor says that %v are done", done)
	}
}

// scrape reads metrics and fails the test if promtool's linter complains.
func scrape(t *testing.T, h http.Handler) map[string]*dto.MetricFamily {
	t.Helper()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := answer.Body.String()
	if format := expfmt.ResponseFormat(answer.Header()); format.FormatType() != expfmt.TypeTextPlain {
		t.Errorf("Content-Type: %s", answer.Header().Get("Content-Type"))
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for name, family := range families {
		for _, m := range family.Metric {
			if labels := m.Label; len(labels) == 0 || labels[0].GetName() != "queue" || labels[0].GetValue() != queueName {
				t.Errorf("%s: labels %v", name, labels)
			}
		}
	}
	return families
}

// value returns the sample of a metric with the given label, or its first sample.
func value(t *testing.T, families map[string]*dto.MetricFamily, name, label, of string) float64 {
	t.Helper()
	for _, m := range families[name].GetMetric() {
		for _, l := range m.Label {
			if label == "" || l.GetName() == label && l.GetValue() == of {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no %s{%s=%q}", name, label, of)
	return 0
}
