package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

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
