package chart

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/workqueue/workqueue/worker/monitor"
)

func TestWorkWithoutAnEnd(t *testing.T) {
	t.Parallel()
	const values = "{queue: {seal: false}, worker: {kind: Deployment, parallelism: 7, labels: {a: b}, annotations: {c: d}}, items: "
	all := release{values: values + "[]}"}.objects(t)
	deployment := find[*appsv1.Deployment](t, all, "worker")
	spec := deployment.Spec
	if *spec.Replicas != 7 || deployment.Name != "demo-worker" || deployment.Labels["a"] != "b" || deployment.Annotations["c"] != "d" {
		t.Errorf("%s has %d replicas, labels %v and annotations %v", deployment.Name, *spec.Replicas, deployment.Labels, deployment.Annotations)
	}
	if got := spec.Template.Spec.RestartPolicy; got != "Always" {
		t.Errorf("restartPolicy is %s: Kubernetes refuses that", got)
	}
	if got := env(t, spec.Template.Spec, "WQ_STOP_AFTER_DEAD"); got != "0" {
		t.Errorf("WQ_STOP_AFTER_DEAD is %s: the workers would stop, and be started again", got)
	}
	if !selects(t, spec.Selector, deployment) {
		t.Errorf("the Deployment does not select its own pods: %v", spec.Selector)
	}
	if tests := all.of("test"); len(tests) != 0 {
		t.Errorf("there are the tests %v: they would wait for an end", tests)
	}
	more := find[*appsv1.Deployment](t, release{values: values + "[apple]}"}.objects(t), "worker").Spec.Template.Spec
	if before, after := env(t, spec.Template.Spec, "WQ_QUEUE"), env(t, more, "WQ_QUEUE"); before != "demo" || after != "demo" {
		t.Errorf("the queue is %s, then %s with other items: want demo, or what was pushed is left behind", before, after)
	}
}

// KEDA asks the monitor, which also counts retried and returned items; the list in Redis has neither.
func TestKEDACountsOpenItems(t *testing.T) {
	t.Parallel()
	all := release{values: `
queue: {name: job2, seal: false}
redis: {external: {addresses: ['a:1'], sentinel: {master: m}}}
monitor: {service: {port: 8888}, clients: [{namespaceSelector: {}}]}
worker: {kind: Deployment, keda: {enabled: true, minReplicas: 1, maxReplicas: 9, itemsPerPod: 5}}`}.objects(t)
	var scaled strings.Builder
	for _, o := range all {
		if strings.HasPrefix(o.GetObjectKind().GroupVersionKind().Group, "keda.sh") {
			text, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			scaled.Write(text)
		}
	}
	service := find[*corev1.Service](t, all, "monitor")
	url := fmt.Sprintf("http://%s.somewhere.svc:%d/api/counts", service.Name, service.Spec.Ports[0].Port)
	for _, text := range []string{`"type":"metrics-api"`, `"url":"` + url + `"`, `"valueLocation":"open"`, `"targetValue":"5"`, `"maxReplicaCount":9`, `"scaleTargetRef":{"name":"demo-worker"}`} {
		if !strings.Contains(scaled.String(), text) {
			t.Errorf("%s is not in %s", text, &scaled)
		}
	}
	if counts, err := json.Marshal(monitor.Snapshot{Open: 7}); err != nil || !strings.Contains(string(counts), `"open":7`) {
		t.Errorf("the monitor's counts have no number that KEDA can read: %s", counts)
	}
	if monitor := find[*appsv1.Deployment](t, all, "monitor"); *monitor.Spec.Replicas != 1 {
		t.Errorf("the monitor has %d replicas", *monitor.Spec.Replicas)
	}
	if replicas := find[*appsv1.Deployment](t, all, "worker").Spec.Replicas; replicas != nil {
		t.Errorf("the Deployment says %d replicas: every upgrade would undo what KEDA did", *replicas)
	}
}

func TestASuspendedJob(t *testing.T) {
	t.Parallel()
	job := workerJob(t, release{values: "{items: [a], worker: {suspend: true, labels: {kueue.x-k8s.io/queue-name: batch}}}"}.objects(t))
	if job.Spec.Suspend == nil || !*job.Spec.Suspend || job.Labels["kueue.x-k8s.io/queue-name"] != "batch" {
		t.Errorf("suspend is %v, the labels are %v", job.Spec.Suspend, job.Labels)
	}
	if job := workerJob(t, release{values: "items: [a]"}.objects(t)); job.Spec.Suspend != nil {
		t.Error("suspend is said: an upgrade would undo what Kueue did")
	}
}

func TestAnAutoscaler(t *testing.T) {
	t.Parallel()
	const values = "{queue: {seal: false}, worker: {kind: Deployment, resources: {requests: {cpu: 1}}, autoscaling: {enabled: true, minReplicas: 3, maxReplicas: 9"
	all := release{values: values + ", behavior: {scaleDown: {stabilizationWindowSeconds: 60}}}}}"}.objects(t)
	deployment := find[*appsv1.Deployment](t, all, "worker")
	if deployment.Spec.Replicas != nil {
		t.Errorf("the Deployment has %d replicas: each upgrade would undo the autoscaler's", *deployment.Spec.Replicas)
	}
	spec := find[*autoscalingv2.HorizontalPodAutoscaler](t, all, "worker").Spec
	if target := spec.ScaleTargetRef; target.Kind != "Deployment" || target.Name != deployment.Name {
		t.Errorf("it scales %v", target)
	}
	if *spec.MinReplicas != 3 || spec.MaxReplicas != 9 || *spec.Behavior.ScaleDown.StabilizationWindowSeconds != 60 {
		t.Errorf("it is %v", spec)
	}
	if len(spec.Metrics) != 1 || *spec.Metrics[0].Resource.Target.AverageUtilization != 80 {
		t.Errorf("it goes by %v, want the use of processors", spec.Metrics)
	}
	spec = find[*autoscalingv2.HorizontalPodAutoscaler](t, release{values: values +
		", metrics: [{type: External, external: {metric: {name: workqueue_items}, target: {type: AverageValue, averageValue: 10}}}]}}}"}.objects(t), "worker").Spec
	if len(spec.Metrics) != 1 || spec.Metrics[0].External.Metric.Name != "workqueue_items" {
		t.Errorf("it goes by %v", spec.Metrics)
	}
}
