package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/test/render"
)

// TestTheClusterTakesEveryExample asks the API server, which knows more than the schemas: what each field may hold, Pod Security
// "restricted", fields that nobody should use any more. A warning counts as a refusal.
func TestTheClusterTakesEveryExample(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "dry-run")
	s.Must("label", "namespace", s.Kubectl.Namespace, "pod-security.kubernetes.io/warn=restricted")
	makeCustomKinds(s)
	cache := t.TempDir()
	dryRun := func(manifests string) (string, error) {
		// kubectl remembers which kinds there are, and what it remembers of former tests may lack the new ones.
		return s.Pipe(manifests, "apply", "--server-side", "--dry-run=server", "--validate=strict",
			"--warnings-as-errors", "--cache-dir", cache, "--filename", "-")
	}
	examples, err := filepath.Glob(root + "/values-examples/*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	everything := filepath.Join(t.TempDir(), "everything.yaml")
	if err := os.WriteFile(everything, []byte(`
items: [apple]
redis: {password: secret, acl: {enabled: true}, persistence: {enabled: true}}
serviceAccount: {create: true}
worker: {printItems: true, metrics: {enabled: true, podMonitor: {enabled: true}}}
monitor: {clients: [{namespaceSelector: {}}], podMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	autoscaled := filepath.Join(t.TempDir(), "autoscaled.yaml")
	if err := os.WriteFile(autoscaled, []byte(`
queue: {seal: false}
worker: {printItems: true, kind: Deployment, resources: {requests: {cpu: 100m}}, autoscaling: {enabled: true}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	// All in one call: each has its own names.
	var manifests strings.Builder
	for _, file := range append(examples, everything, autoscaled) {
		values, err := render.Values(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		rendered, err := render.Release{Chart: chart, Name: name, Namespace: s.Kubectl.Namespace, Kube: s.version()}.Render(values)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		manifests.WriteString(rendered.Manifests)
	}
	if out, err := dryRun(manifests.String()); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Run("but not what is wrong", func(t *testing.T) {
		for wrong, want := range map[string]string{
			"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}": "would violate PodSecurity",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndataa: {}":                                                                           "field not declared in schema",
		} {
			if out, err := dryRun(wrong); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q of\n%s\nor the test above cannot fail: %v\n%s", want, wrong, err, out)
			}
		}
	})
}

// version is the cluster's.
func (s *space) version() string {
	s.Helper()
	version, err := s.Client.Discovery().ServerVersion()
	if err != nil {
		s.Fatal(err)
	}
	return version.GitVersion
}
