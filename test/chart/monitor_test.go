package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/workqueue/workqueue/worker/report"
)

func TestTheMonitorCanBeLeftOut(t *testing.T) {
	t.Parallel()
	for _, o := range (release{values: "{items: [a], monitor: {enabled: false, dashboard: {enabled: true}}}"}).objects(t) {
		if component(o) == "monitor" {
			t.Errorf("%s is there with monitor.enabled=false", id(o))
		}
	}
}

func TestTheMonitor(t *testing.T) {
	t.Parallel()
	all := release{values: `
items: [a]
worker: {maxDead: 7}
monitor: {actions: true, existingSecret: {name: mine}, service: {port: 8888}, podLabels: {a: b}}`}.objects(t)
	pods := find[*appsv1.Deployment](t, all, "monitor").Spec.Template
	if !slices.Equal(pods.Spec.Containers[0].Args, []string{"monitor"}) || pods.Labels["a"] != "b" {
		t.Errorf("the monitor runs %v, with the labels %v", pods.Spec.Containers[0].Args, pods.Labels)
	}
	for name, want := range map[string]string{"WQ_MAX_DEAD": "7", "WQ_MONITOR_ACTIONS": "true", "WQ_QUEUE": queueName(t, all)} {
		if got := env(t, pods.Spec, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := secretEnv(pods.Spec, "WQ_MONITOR_TOKEN"); got != "mine/token" {
		t.Errorf("the token is from %q, want mine/token", got)
	}
	service := find[*corev1.Service](t, all, "monitor")
	if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pods.Labels)) || service.Spec.Ports[0].Port != 8888 {
		t.Errorf("the Service selects %v at port %d", service.Spec.Selector, service.Spec.Ports[0].Port)
	}
}

func TestMetricsAlertsAndDashboard(t *testing.T) {
	t.Parallel()
	all := release{values: `
items: [a]
queue: {name: job2}
monitor:
  clients: [{namespaceSelector: {}}]
  podMonitor: {enabled: true, labels: {release: prometheus}}
  prometheusRule: {enabled: true, labels: {release: prometheus}}
  dashboard: {enabled: true}`}.objects(t)
	kinds := map[string]object{}
	for _, o := range all {
		if component(o) == "monitor" {
			kinds[kind(o)] = o
		}
	}
	for _, kind := range []string{"PodMonitor", "PrometheusRule"} {
		if o := kinds[kind]; o == nil || o.GetLabels()["release"] != "prometheus" {
			t.Errorf("the %s is %v", kind, o)
		}
	}
	dashboard := find[*corev1.ConfigMap](t, all, "monitor")
	if dashboard.Labels["grafana_dashboard"] != "1" {
		t.Errorf("the dashboard has the labels %v", dashboard.Labels)
	}
	for name, text := range dashboard.Data {
		if !strings.HasSuffix(name, ".json") || !json.Valid([]byte(text)) {
			t.Errorf("%s is not JSON:\n%s", name, text)
		}
	}
	for name, text := range dashboard.Data {
		wantEachSelector(t, name, text, `namespace="$namespace"`)
	}
	alerts, err := json.Marshal(kinds["PrometheusRule"])
	if err != nil {
		t.Fatal(err)
	}
	wantEachSelector(t, "the PrometheusRule", string(alerts), fmt.Sprintf(`namespace=%q, queue=`, namespace))
}

// selectors finds what selects a metric in PromQL. A regular expression within it may have braces.
var selectors = regexp.MustCompile(`workqueue_[a-z_]+{((?:[^"}]|"(?:[^"\\]|\\.)*")*)}`)

// alert is a rule of a PrometheusRule.
type alert struct {
	Alert, Expr, For string
	Annotations      map[string]string
}

// selects reports whether each selector of the alert selects a queue, and at least one of them is there. Prometheus' regular expressions are Go's,
// for the whole value, and so are its strings.
func (a alert) selects(t *testing.T, queue string) bool {
	t.Helper()
	found := selectors.FindAllStringSubmatch(a.Expr, -1)
	for _, selector := range found {
		parts := regexp.MustCompile(`queue(=~?)("(?:[^"\\]|\\.)*")`).FindStringSubmatch(selector[1])
		if parts == nil {
			t.Fatalf("%s: %s selects no queue", a.Alert, selector[0])
		}
		value, err := strconv.Unquote(parts[2])
		if err != nil {
			t.Fatalf("%s: %s: %v", a.Alert, parts[2], err)
		}
		if parts[1] == "=" {
			value = regexp.QuoteMeta(value)
		}
		if !regexp.MustCompile("^(?:" + value + ")$").MatchString(queue) {
			return false
		}
	}
	return len(found) > 0
}

func alerts(t *testing.T, all objects) map[string]alert {
	t.Helper()
	rules := map[string]alert{}
	for _, o := range all {
		if kind(o) != "PrometheusRule" {
			continue
		}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var rule struct {
			Spec struct{ Groups []struct{ Rules []alert } }
		}
		if err := json.Unmarshal(text, &rule); err != nil {
			t.Fatal(err)
		}
		for _, r := range rule.Spec.Groups[0].Rules {
			rules[r.Alert] = r
		}
	}
	return rules
}

// An alert is about the queues of its release, whatever the monitor calls the one that it shows, and about no other's.
func TestAlertsSelectTheQueuesOfTheRelease(t *testing.T) {
	t.Parallel()
	const asked = "monitor: {prometheusRule: {enabled: true}}"
	every := []string{"WorkqueueDeadItems", "WorkqueueStopped", "WorkqueueStalled", "WorkqueueNoMonitor"}
	for values, test := range map[string]struct {
		rules []string
		are   []string // of every alert
		shown []string // by the monitor when there is no such queue
		other []string
	}{
		"{items: [a], queue: {name: 'a.b'}, " + asked + "}": {every, []string{"a.b"}, []string{"demo-0123456789"}, []string{"a_b", "a.b:*", "other-0123456789"}},
		"{items: [a], worker: {maxDead: 5%}, schedule: '@daily', " + asked + "}": {
			append(slices.Clone(every), "WorkqueueRunFailed", "WorkqueueRunNotSeeded"),
			[]string{"demo:demo-29384756:1f0c2", "demo:demo-now:00000"}, []string{"demo:*"}, []string{"demo-eu:demo-eu-1:1f0c2", "ns/demo:demo-1:1f0c2", "demo:queue"},
		},
		"{items: [a], schedule: '@daily', redis: {external: {url: 'redis://host:6379/0'}}, " + asked + "}": {
			append(slices.Clone(every), "WorkqueueRunFailed", "WorkqueueRunNotSeeded"),
			[]string{namespace + "/demo:demo-1:1f0c2"}, []string{namespace + "/demo:*"}, []string{"demo:demo-1:1f0c2"},
		},
	} {
		found := alerts(t, release{values: values}.objects(t))
		if names := slices.Sorted(maps.Keys(found)); !slices.Equal(names, slices.Sorted(slices.Values(test.rules))) {
			t.Errorf("%s: the alerts are %v", values, names)
		}
		for name, a := range found {
			for _, queue := range test.are {
				if !a.selects(t, queue) {
					t.Errorf("%s: %s is not about the queue %s: %s", values, name, queue, a.Expr)
				}
			}
			for _, queue := range test.shown {
				if a.selects(t, queue) != (name == "WorkqueueNoMonitor") {
					t.Errorf("%s: %s and a monitor that shows %s: %s", values, name, queue, a.Expr)
				}
			}
			for _, queue := range test.other {
				if a.selects(t, queue) {
					t.Errorf("%s: %s is also about the queue %s: %s", values, name, queue, a.Expr)
				}
			}
			if name != "WorkqueueNoMonitor" && !strings.Contains(a.Annotations["summary"], "{{ $labels.queue }}") {
				t.Errorf("%s does not name the queue: %q", name, a.Annotations["summary"])
			}
		}
	}
}

// TestAFailedRunAlerts: the alert names every state of a run that is a failure, but the one of a run that is not there.
func TestAFailedRunAlerts(t *testing.T) {
	t.Parallel()
	var failed []string
	for _, kind := range report.States {
		if kind.Verdict == report.Failed && kind.State != report.StateUnseeded {
			failed = append(failed, string(kind.State))
		}
	}
	slices.Sort(failed)
	expr := alerts(t, release{values: "{items: [a], schedule: '@daily', monitor: {prometheusRule: {enabled: true}}}"}.objects(t))["WorkqueueRunFailed"].Expr
	if want := `state=~"` + strings.Join(failed, "|") + `"`; !strings.Contains(expr, want) {
		t.Errorf("%s has not %s", expr, want)
	}
}

// wantEachSelector wants each selector of a metric to begin with this: another namespace may have a queue of the same name.
func wantEachSelector(t *testing.T, what, text, beginning string) {
	t.Helper()
	found := selectors.FindAllString(strings.ReplaceAll(text, `\"`, `"`), -1)
	if len(found) == 0 {
		t.Errorf("%s selects no metric:\n%s", what, text)
	}
	for _, selector := range found {
		if _, matchers, _ := strings.Cut(selector, "{"); !strings.HasPrefix(matchers, beginning) {
			t.Errorf("%s has %s, which does not begin with %s", what, selector, beginning)
		}
	}
}

func TestTheWorkersMetrics(t *testing.T) {
	t.Parallel()
	all := release{values: `
items: [a]
worker: {metrics: {enabled: true, port: 9999, podMonitor: {enabled: true, labels: {release: prometheus}, interval: 5s}}}
networkPolicy: {metricsClients: [{namespaceSelector: {}}]}`}.objects(t)
	spec := workerJob(t, all).Spec.Template.Spec
	if got := env(t, spec, "WQ_METRICS_ADDR"); got != ":9999" {
		t.Errorf("WQ_METRICS_ADDR is %q", got)
	}
	ports := spec.Containers[0].Ports
	if len(ports) != 1 || ports[0].ContainerPort != 9999 {
		t.Fatalf("the ports are %v", ports)
	}
	if ingress := policyOf(t, all, "worker").Ingress; len(ingress) != 1 || len(ingress[0].From) != 1 || ingress[0].Ports[0].Port.StrVal != ports[0].Name {
		t.Errorf("the workers are open to %v, want those who read metrics, at %s", ingress, ports[0].Name)
	}
	monitor, err := json.Marshal(all[slices.IndexFunc(all, func(o object) bool { return kind(o) == "PodMonitor" })])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"release":"prometheus"`, `"port":"` + ports[0].Name + `"`, `"interval":"5s"`, `"app.kubernetes.io/component":"worker"`} {
		if !strings.Contains(string(monitor), want) {
			t.Errorf("the PodMonitor lacks %s: %s", want, monitor)
		}
	}

	all = release{values: "items: [a]"}.objects(t)
	spec = workerJob(t, all).Spec.Template.Spec
	if _, ok := lookupEnv(spec, "WQ_METRICS_ADDR"); ok || len(spec.Containers[0].Ports) != 0 {
		t.Error("metrics are served without having been asked for")
	}
}

// policyOf is the NetworkPolicy of a component.
func policyOf(t *testing.T, all objects, name string) networkingv1.NetworkPolicySpec {
	t.Helper()
	return find[*networkingv1.NetworkPolicy](t, all, name).Spec
}

func selects(t *testing.T, selector *metav1.LabelSelector, o object) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(labels.Set(pod(o).Labels))
}

func TestWhoReachesWhom(t *testing.T) {
	t.Parallel()
	all := release{values: `
items: [a]
networkPolicy: {redisClients: [{namespaceSelector: {matchLabels: {name: keda}}}]}`}.objects(t)
	policy := policyOf(t, all, "redis")
	if len(policy.Ingress) != 1 || len(policy.Ingress[0].From) != 2 || len(policy.Egress) != 0 || len(policy.PolicyTypes) != 2 {
		t.Fatalf("the policy of Redis is %v", policy)
	}
	for _, o := range all.live() {
		if pod(o) == nil {
			continue
		}
		if !selects(t, policy.Ingress[0].From[0].PodSelector, o) {
			t.Errorf("%s does not reach Redis", id(o))
		}
		for name, components := range map[string][]string{"redis": {"redis"}, "worker": {"worker"}, "monitor": {"monitor"}, "seed": {"seed", "test"}} {
			if selector := policyOf(t, all, name).PodSelector; selects(t, &selector, o) != slices.Contains(components, component(o)) {
				t.Errorf("the policy of %s is also about %s, or not about it", name, id(o))
			}
		}
	}
	worker := policyOf(t, all, "worker")
	for name, policy := range map[string]networkingv1.NetworkPolicySpec{"workers": worker, "seed pod": policyOf(t, all, "seed"), "monitor": policyOf(t, all, "monitor")} {
		if len(policy.Ingress) != 0 || len(policy.PolicyTypes) != 2 || len(policy.Egress) != 1 || len(policy.Egress[0].Ports)+len(policy.Egress[0].To) != 0 {
			t.Errorf("the policy of the %s is %v: want nobody in, and everything out", name, policy)
		}
	}
	all = release{values: `
items: [a]
monitor: {clients: [{podSelector: {}}]}
networkPolicy: {workerEgress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}`}.objects(t)
	if worker := policyOf(t, all, "worker"); len(worker.Egress) != 3 || len(worker.PolicyTypes) != 2 {
		t.Errorf("the workers may reach %v, want DNS, Redis and 10.0.0.0/8", worker.Egress)
	} else if !selects(t, worker.Egress[1].To[0].PodSelector, redis(t, all)) {
		t.Errorf("the workers do not reach Redis: %v", worker.Egress[1])
	}
	if ingress := policyOf(t, all, "monitor").Ingress; len(ingress) != 1 || len(ingress[0].From) != 1 {
		t.Errorf("the monitor is open to %v", ingress)
	}

	for _, o := range (release{values: "{items: [a], networkPolicy: {enabled: false}}"}).objects(t) {
		if kind(o) == "NetworkPolicy" {
			t.Errorf("%s is there, though switched off", id(o))
		}
	}
}
