package chart

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestNamesAndLabels(t *testing.T) {
	t.Parallel()
	all := release{name: "demo", values: "items: [apple]"}.objects(t)
	want := map[string]string{
		"ConfigMap installed":         `^demo-installed$`,
		"Secret redis":                `^demo-redis$`,
		"Service redis":               `^demo-redis$`,
		"StatefulSet redis":           `^demo-redis$`,
		"ConfigMap seed":              `^demo-items-[0-9a-f]{10}$`,
		"Job seed":                    `^demo-seed-[0-9a-f]{10}$`,
		"Job worker":                  `^demo-[0-9a-f]{10}$`,
		"Pod test":                    `^demo-test$`,
		"Deployment monitor":          `^demo-monitor$`,
		"Service monitor":             `^demo-monitor$`,
		"NetworkPolicy redis":         `^demo-redis$`,
		"NetworkPolicy worker":        `^demo-worker$`,
		"NetworkPolicy monitor":       `^demo-monitor$`,
		"NetworkPolicy seed":          `^demo-seed$`,
		"NetworkPolicy redis-install": `^demo-redis-install$`,
		"NetworkPolicy seed-install":  `^demo-seed-install$`,
	}
	for _, o := range all.live() {
		id := kind(o) + " " + component(o)
		pattern, ok := want[id]
		if !ok {
			t.Errorf("unexpected object %s %s", id, o.GetName())
			continue
		}
		delete(want, id)
		if !regexp.MustCompile(pattern).MatchString(o.GetName()) {
			t.Errorf("%s is named %q, want %s", id, o.GetName(), pattern)
		}
		labels := map[string]string{
			"app.kubernetes.io/name":       "workqueue",
			"app.kubernetes.io/instance":   "demo",
			"app.kubernetes.io/managed-by": "Helm",
			"app.kubernetes.io/version":    "0.1.0",
			"helm.sh/chart":                "workqueue-0.1.0",
		}
		for label, value := range labels {
			if got := o.GetLabels()[label]; got != value {
				t.Errorf("%s has label %s=%q, want %q", id, label, got, value)
			}
		}
	}
	for id := range want {
		t.Errorf("%s is missing", id)
	}
	if got := queueName(t, all); !regexp.MustCompile(`^demo-[0-9a-f]{10}$`).MatchString(got) {
		t.Errorf("the queue is named %q, want the release's name and a hash", got)
	}
}

func TestEveryPodKnowsTheSameQueueAndRedis(t *testing.T) {
	t.Parallel()
	all := release{values: "{items: [apple], queue: {name: job2}, redis: {serviceName: redis}}"}.objects(t)
	if got := find[*corev1.Service](t, all, "redis").Name; got != "redis" {
		t.Errorf("the Service is named %q, want redis", got)
	}
	if got := redis(t, all).Spec.ServiceName; got != "redis" {
		t.Errorf("the StatefulSet's serviceName is %q, want redis", got)
	}
	for _, spec := range []corev1.PodSpec{workerJob(t, all).Spec.Template.Spec, seedJob(t, all).Spec.Template.Spec, testPod(t, all).Spec} {
		if got := env(t, spec, "WQ_QUEUE"); got != "job2" {
			t.Errorf("%s has WQ_QUEUE=%q, want job2", spec.Containers[0].Name, got)
		}
		if got := env(t, spec, "WQ_REDIS_URL"); got != "redis://redis:6379/0" {
			t.Errorf("%s has WQ_REDIS_URL=%q, want redis://redis:6379/0", spec.Containers[0].Name, got)
		}
	}
}

func TestTheServiceFindsRedis(t *testing.T) {
	t.Parallel()
	all := release{values: "{items: [apple], commonLabels: {team: fruit}, redis: {podLabels: {team: redis}}}"}.objects(t)
	labels := redis(t, all).Spec.Template.Labels
	for selector, where := range map[*map[string]string]string{
		&find[*corev1.Service](t, all, "redis").Spec.Selector: "Service",
		&redis(t, all).Spec.Selector.MatchLabels:              "StatefulSet",
	} {
		for label, value := range *selector {
			if labels[label] != value {
				t.Errorf("the %s selects %s=%s, but the pod has %q", where, label, value, labels[label])
			}
		}
	}
	for _, o := range all.live() {
		if p := pod(o); o.GetLabels()["team"] != "fruit" || p != nil && p.Labels["team"] == "" {
			t.Errorf("%s %s or its pod lacks the common label", kind(o), o.GetName())
		}
	}
}

func TestNamesFitWhateverTheReleaseIsCalled(t *testing.T) {
	t.Parallel()
	// As long as Helm allows, and different only at their ends.
	long := strings.Repeat("abcdefghi-", 5) + "xy"
	seen := map[string]string{}
	for _, name := range []string{long + "1", long + "2", "with.dots"} {
		for _, o := range (release{name: name, values: "items: [apple]"}).objects(t).live() {
			limit := 63
			if _, ok := o.(*appsv1.StatefulSet); ok {
				limit = 52 // Kubernetes appends a revision and uses it as a label.
			}
			if len(o.GetName()) > limit {
				t.Errorf("%s is named %q, which is %d characters, more than %d", kind(o), o.GetName(), len(o.GetName()), limit)
			}
			if strings.Contains(o.GetName(), ".") {
				t.Errorf("%s is named %q: a Service cannot have a dot", kind(o), o.GetName())
			}
			id := kind(o) + " " + o.GetName()
			if other, ok := seen[id]; ok {
				t.Errorf("%s is in the releases %s and %s", id, name, other)
			}
			seen[id] = name
		}
	}
}

func TestNameOverrides(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"nameOverride: fruit":     "demo-fruit-redis",
		"nameOverride: demo":      "demo-redis",
		"fullnameOverride: fruit": "fruit-redis",
	} {
		t.Run(values, func(t *testing.T) {
			all := release{values: "items: [apple]\n" + values}.objects(t)
			if got := redis(t, all).Name; got != want {
				t.Errorf("Redis is named %q, want %q", got, want)
			}
		})
	}
}

// What a run is named by is what makes an upgrade do the right thing: another queue is another run, another Job is new pods on
// the same queue, and neither is a Job that is patched in place.
func TestWhatAnUpgradeStarts(t *testing.T) {
	t.Parallel()
	const base = "items: [apple, 7]\n"
	newer := newerChart(t)
	for _, test := range []struct {
		name              string
		to                release
		newQueue, newPods bool
	}{
		{name: "nothing", to: release{values: base}},
		{name: "a newer chart with the same worker", to: release{values: base, chart: newer}},
		{name: "parallelism", to: release{values: base + "worker: {parallelism: 50}"}},
		{name: "backoffLimit", to: release{values: base + "worker: {backoffLimit: 1}"}},
		{name: "activeDeadlineSeconds", to: release{values: base + "worker: {activeDeadlineSeconds: 60}"}},
		{name: "ttlSecondsAfterFinished", to: release{values: base + "worker: {ttlSecondsAfterFinished: 60}"}},
		{name: "suspend", to: release{values: base + "worker: {suspend: true}"}},
		{name: "labels of the Job", to: release{values: base + "worker: {labels: {a: b}, annotations: {a: b}}"}},
		{name: "the test's timeout", to: release{values: base + "test: {timeout: 1m}"}},
		{name: "Redis' memory", to: release{values: base + "redis: {extraArgs: [--maxmemory, 1gb]}"}},
		{name: "the seeding's memory", to: release{values: base + "seed: {resources: {requests: {memory: 64Mi}}}"}},
		{name: "the seal", to: release{values: base + "queue: {seal: false}"}},
		{name: "rerun set to what it is", to: release{values: base + `rerun: ""`}},
		{name: "the same items, written otherwise", to: release{values: "items:\n  - 'apple'\n  - 7.0\n"}},
		{name: "the image of a program that is not used", to: release{values: base + "itemsFrom: {image: busybox}"}},
		{name: "who reads metrics", to: release{values: base + "networkPolicy: {metricsClients: [{podSelector: {}}]}"}},
		{name: "annotations of the account", to: release{values: base + "serviceAccount: {annotations: {a: b}}"}},

		{name: "the worker's image", newPods: true, to: release{values: base + "image: {tag: other}"}},
		{name: "a program", newPods: true, to: release{values: base + "worker: {image: busybox, command: ['true']}"}},
		{name: "metrics", newPods: true, to: release{values: base + "worker: {metrics: {enabled: true}}"}},
		{name: "the lease", newPods: true, to: release{values: base + "worker: {lease: 1m}"}},
		{name: "the mode", newPods: true, to: release{values: base + "worker: {mode: batch, image: busybox, command: ['true']}"}},
		{name: "concurrency", newPods: true, to: release{values: base + "worker: {concurrency: 2}"}},
		{name: "the grace", newPods: true, to: release{values: base + "worker: {terminationGracePeriodSeconds: 60}"}},
		{name: "pod labels", newPods: true, to: release{values: base + "worker: {podLabels: {a: b}}"}},
		{name: "pod annotations", newPods: true, to: release{values: base + "worker: {podAnnotations: {a: b}}"}},
		{name: "common labels", newPods: true, to: release{values: base + "commonLabels: {a: b}"}},
		{name: "pull secrets", newPods: true, to: release{values: base + "imagePullSecrets: [{name: a}]"}},
		{name: "the account", newPods: true, to: release{values: base + "serviceAccount: {create: true}"}},
		{name: "the Job again", newPods: true, to: release{values: base + "worker: {again: 2}"}},
		{name: "the Job as before", to: release{values: base + "worker: {again: ''}"}},
		{name: "Redis' name", newPods: true, to: release{values: base + "redis: {serviceName: redis}"}},

		{name: "another item", newQueue: true, newPods: true, to: release{values: "items: [apple, 8]"}},
		{name: "one more item", newQueue: true, newPods: true, to: release{values: "items: [apple, 7, 7]"}},
		{name: "another order", newQueue: true, newPods: true, to: release{values: "items: [7, apple]"}},
		{name: "a source", newQueue: true, newPods: true, to: release{values: base + "itemsFrom: {range: {start: 1, end: 9}}"}},
		{name: "rerun", newQueue: true, newPods: true, to: release{values: base + "rerun: 2"}},
		{name: "another release", newQueue: true, newPods: true, to: release{name: "other", values: base}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, after := release{values: base}.objects(t), test.to.objects(t)
			if got := queueName(t, before) != queueName(t, after); got != test.newQueue {
				t.Errorf("another queue: %v, want %v (%s, then %s)", got, test.newQueue, queueName(t, before), queueName(t, after))
			}
			was, is := workerJob(t, before), workerJob(t, after)
			if got := was.Name != is.Name; got != test.newPods {
				t.Errorf("another Job: %v, want %v (%s, then %s)", got, test.newPods, was.Name, is.Name)
			}
			for _, jobs := range [][2]*batchv1.Job{{was, is}, {seedJob(t, before), seedJob(t, after)}} {
				if jobs[0].Name == jobs[1].Name && !reflect.DeepEqual(fixed(jobs[0]), fixed(jobs[1])) {
					t.Errorf("Job %s keeps its name, but what Kubernetes does not let change differs:\n%v\n%v", jobs[0].Name, fixed(jobs[0]), fixed(jobs[1]))
				}
			}
		})
	}
}

// fixed returns what Kubernetes refuses to change in a Job.
func fixed(job *batchv1.Job) batchv1.JobSpec {
	spec := *job.Spec.DeepCopy()
	spec.Parallelism, spec.BackoffLimit, spec.ActiveDeadlineSeconds, spec.TTLSecondsAfterFinished = nil, nil, nil, nil
	spec.Suspend = nil
	return spec
}

func newerChart(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "workqueue")
	if err := os.CopyFS(dir, os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "Chart.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(text), "\nversion: 0.1.0\n", "\nversion: 9.9.9\n", 1)
	if newer == string(text) {
		t.Fatalf("no version 0.1.0 in %s", file)
	}
	if err := os.WriteFile(file, []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAQueueNamedByHandKeepsItsName(t *testing.T) {
	t.Parallel()
	one := release{values: "{items: [apple], queue: {name: job2}}"}.objects(t)
	two := release{values: "{items: [pear], queue: {name: job2}}"}.objects(t)
	if queueName(t, one) != "job2" || queueName(t, two) != "job2" {
		t.Errorf("the queue is named %s, then %s, want job2", queueName(t, one), queueName(t, two))
	}
	if env(t, seedJob(t, one).Spec.Template.Spec, "WQ_SEED_ID") == env(t, seedJob(t, two).Spec.Template.Spec, "WQ_SEED_ID") {
		t.Error("the same WQ_SEED_ID with other items: they would be taken for those that are in the queue already")
	}
	if workerJob(t, one).Name == workerJob(t, two).Name {
		t.Errorf("Job %s has the same name with other items: a complete one would not work on them", workerJob(t, one).Name)
	}
}

// id tells an object from all others, its own placeholder included.
func id(o object) string {
	return strings.TrimSpace(kind(o) + " " + o.GetName() + " " + o.GetAnnotations()["helm.sh/hook"])
}
