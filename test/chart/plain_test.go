package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// Manifests that another tool than Helm applies: `helm template | kubectl apply`, Kustomize, Argo CD.

// Kubectl applies each object as it is, in no order of Helm's, and Kustomize refuses two of one kind and name.
func TestPlainManifestsAreWhatRuns(t *testing.T) {
	t.Parallel()
	for how, change := range map[string]func(*release){
		"without a cluster": func(r *release) { r.plain = true },
		"without hooks":     func(r *release) { r.values = "{hooks: {enabled: false}, " + r.values[1:] },
	} {
		for _, values := range []string{
			"{items: [a]}",
			"{items: [a], redis: {password: secret, persistence: {enabled: true}}}",
			"{items: [a], " + sharedRedis + "}",
			"{items: [a], schedule: '@daily'}",
			"{worker: {kind: Deployment}, queue: {seal: false}}",
		} {
			r := release{values: values}
			change(&r)
			seen := map[string]bool{}
			for _, o := range r.objects(t) {
				name := kind(o) + " " + o.GetName()
				if seen[name] {
					t.Errorf("%s: %s: %s is there twice", how, values, name)
				}
				seen[name] = true
				for key, value := range o.GetAnnotations() {
					if strings.HasPrefix(key, "helm.sh/") {
						t.Errorf("%s: %s: %s has %s: %s, which only Helm knows", how, values, id(o), key, value)
					}
				}
				switch o := o.(type) {
				case *corev1.Pod:
					t.Errorf("%s: %s: %s would run at once", how, values, id(o))
				case *appsv1.StatefulSet:
					if *o.Spec.Replicas != 1 {
						t.Errorf("%s: %s: %s has %d replicas", how, values, id(o), *o.Spec.Replicas)
					}
				case *batchv1.Job:
					if component(o) == "purge" || o.Spec.Completions != nil && *o.Spec.Completions == 0 {
						t.Errorf("%s: %s: there is %s", how, values, id(o))
					}
				}
			}
		}
	}
}

// What only Helm runs at its time is there if it was asked for, because some tools know Helm's hooks: Argo CD runs the purge, Flux the test.
func TestPlainManifestsHaveTheHooksThatAreAskedFor(t *testing.T) {
	t.Parallel()
	all := release{plain: true, values: "{items: [a], test: {enabled: true}, redis: {external: {url: 'redis://host:1/0', keep: false}}}"}.objects(t)
	if len(all.of("test")) != 1 || len(all.of("pre-delete")) != 1 {
		t.Errorf("the test is %v, the purge %v", all.of("test"), all.of("pre-delete"))
	}
	all = release{values: "{items: [a], test: {enabled: false}}"}.objects(t)
	if tests := all.of("test"); len(tests) != 0 {
		t.Errorf("there is %s, though switched off", id(tests[0]))
	}
}

// Where nothing was asked of a cluster, each rendering would make up another password, and the workers wait for a seed Job that comes with them.
func TestPlainManifestsAreAlwaysTheSame(t *testing.T) {
	t.Parallel()
	one, two := release{plain: true, values: "{items: [a]}", again: 1}, release{plain: true, values: "{items: [a]}", again: 2}
	first, err := one.render(t)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := two.render(t); err != nil || first != second {
		t.Errorf("two renderings differ (%v):\n%s\n%s", err, first, second)
	}
	if got := workerJob(t, one.objects(t)).Spec.Template.Annotations["workqueue/seed-timeout"]; got != "0s" {
		t.Errorf("the workers wait %s for the seeding, want for ever (0s)", got)
	}
}

// `helm template | kubectl apply` would put an object without a namespace into the one of the kubeconfig.
func TestEveryObjectNamesItsNamespace(t *testing.T) {
	t.Parallel()
	const everything = `, hooks: {enabled: HOOKS}, serviceAccount: {create: true}, worker: {metrics: {enabled: true, podMonitor: {enabled: true}}, KIND},
redis: {password: secret, podDisruptionBudget: {enabled: true}, persistence: {enabled: true}},
monitor: {clients: [{podSelector: {}}], podMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true},
  ingress: {enabled: true, host: a.example.org}, httpRoute: {enabled: true, parentRefs: [{name: web}]}},
extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}, {apiVersion: v1, kind: ConfigMap, metadata: {name: theirs, namespace: other}}]}`
	for _, values := range []string{
		"{items: [a]" + strings.Replace(everything, ", KIND", "", 1),
		"{items: [a], schedule: '@daily'" + strings.Replace(everything, ", KIND", "", 1),
		"{queue: {seal: false}" + strings.Replace(everything, "KIND", "kind: Deployment, keda: {enabled: true}", 1),
		"{queue: {seal: false}" + strings.Replace(everything, "KIND", "kind: Deployment, resources: {requests: {cpu: 1}}, autoscaling: {enabled: true}", 1),
		"{items: [a], " + sharedRedis + "}",
	} {
		for _, hooks := range []string{"true", "false"} {
			for _, o := range (release{values: strings.Replace(values, "HOOKS", hooks, 1)}).objects(t) {
				want := map[string]string{"mine": "", "theirs": "other"}
				if _, own := want[o.GetName()]; !own {
					want[o.GetName()] = namespace
				}
				if got := o.GetNamespace(); got != want[o.GetName()] {
					t.Errorf("%s is in the namespace %q, want %q", id(o), got, want[o.GetName()])
				}
			}
		}
	}
}

// A parent chart has `condition: workqueue.enabled`.
func TestTheConditionOfAParent(t *testing.T) {
	parent := t.TempDir()
	if err := os.CopyFS(filepath.Join(parent, "charts", "workqueue"), os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"Chart.yaml":  "{apiVersion: v2, name: parent, version: 1.0.0, dependencies: [{name: workqueue, version: 0.1.0, condition: workqueue.enabled}]}",
		"values.yaml": "{workqueue: {items: [a], worker: {printItems: true}}}",
	} {
		if err := os.WriteFile(filepath.Join(parent, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	eachHelm(t, func(t *testing.T) {
		for _, test := range []struct{ chart, set, want string }{
			{parent, "a=b", "name: demo-workqueue-monitor"},
			{parent, "workqueue.enabled=true", "name: demo-workqueue-monitor"},
			{parent, "workqueue.enabled=false", ""},
			{parent, "workqueue.enabled=on", "enabled"}, // text
			{chartDir, "items={a},worker.printItems=true,enabled=false", "enabled: false has no effect here"},
		} {
			out, err := exec.CommandContext(t.Context(), "helm", "template", "demo", test.chart, "--kube-version", kubeVersion, "--set", test.set).CombinedOutput()
			if refused := strings.HasPrefix(test.want, "enabled"); (err != nil) != refused || !strings.Contains(string(out), test.want) ||
				test.want == "" && strings.Contains(string(out), "kind:") {
				t.Errorf("%s with %s: %v\n%.2000s", filepath.Base(test.chart), test.set, err, out)
			}
		}
	})
}
