package chart

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/test/apis"
	"github.com/workqueue/workqueue/test/built"
)

// Every field has to be one that each version of Kubernetes knows, of the type that it knows. What is rendered for the oldest
// has to be right for all; what is rendered for the newest, where the chart may use what the oldest does not have, for that.
func TestExamplesAreValidKubernetes(t *testing.T) {
	t.Parallel()
	old, latest := apis.Versions[0], apis.Newest()
	manifests := map[string]string{old: renderAll(t, old), latest: renderAll(t, latest)}
	for _, version := range apis.Versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			schemas := t.TempDir()
			apis.WriteSchemas(t, schemas, version)
			folders := []string{manifests[old]}
			if version == latest {
				folders = append(folders, manifests[latest])
			}
			if out, err := kubeconform(t, schemas, folders...); err != nil {
				t.Errorf("kubeconform: %v\n%s", err, out)
			}
		})
	}
}

// renderAll renders what is validated, for a version of Kubernetes, into a folder.
func renderAll(t *testing.T, version string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "for "+version)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, r := range validated(t) {
		if r.kube != "" && r.kube != version {
			continue
		}
		r.kube = version
		rendered, err := r.render(t)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(rendered), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// validated are the examples in both delivery modes, and values that no example shows.
func validated(t *testing.T) map[string]release {
	t.Helper()
	all := map[string]release{}
	for _, example := range examples(t) {
		name := strings.TrimSuffix(filepath.Base(example), ".yaml")
		kube := ""
		if name == "spot" { // the oldest versions have no such Job
			kube = apis.Newest()
		}
		all[name] = release{files: []string{example}, kube: kube}
		all[name+", no hooks"] = release{files: []string{example}, values: "hooks: {enabled: false}", kube: kube}
	}
	for name, values := range map[string]string{
		"monitoring": `
items: [apple]
worker: {metrics: {enabled: true, podMonitor: {enabled: true, labels: {a: b}}}}
monitor:
  clients: [{namespaceSelector: {}}]
  podMonitor: {enabled: true, labels: {a: b}}
  prometheusRule: {enabled: true, labels: {a: b}}
  dashboard: {enabled: true}`,
		"a page for browsers": `
items: [apple]
monitor:
  clients: [{namespaceSelector: {}}]
  ingress: {enabled: true, host: queue.example.org, tlsSecret: certificate}
  httpRoute: {enabled: true, parentRefs: [{name: web, namespace: gateways, sectionName: https, port: 443}], hostnames: [queue.example.org], annotations: {a: b}}`,
		"autoscaling": "{queue: {seal: false}, worker: {kind: Deployment, resources: {requests: {cpu: 1}}, autoscaling: {enabled: true, behavior: {scaleDown: {stabilizationWindowSeconds: 60}}}}}",
		"own account": "{items: [apple], serviceAccount: {create: true, annotations: {a: b}}, imagePullSecrets: [{name: a}], commonLabels: {a: b}}",
	} {
		all[name] = release{values: values}
	}
	all["image as a volume"] = release{values: "{items: [apple], worker: {inject: image, image: a:1, command: [b]}}", kube: apis.Newest()}
	return all
}

func TestKubeconformFindsWrongFields(t *testing.T) {
	t.Parallel()
	schemas := t.TempDir()
	apis.WriteSchemas(t, schemas, apis.Versions[0])
	dir, names := t.TempDir(), map[string]string{}
	for name, wrong := range map[string]string{
		"an unknown field":    "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {paralelism: 1, template: {spec: {containers: [{name: a}]}}}}",
		"a wrong type":        "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {parallelism: a, template: {spec: {containers: [{name: a}]}}}}",
		"a missing field":     "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {parallelism: 1}}",
		"a key twice":         "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: b, a: b}}",
		"a field of tomorrow": "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a}], volumes: [{name: a, image: {reference: b}}]}}",
		"a kind of nobody":    "{apiVersion: v1, kind: Jobb, metadata: {name: a}}",
		"KEDA's own":          "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, triggers: [{type: cpu, metadata: {}}], replicas: 1}}",
		"the Gateway's own":   "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: {parentRef: [{name: a}]}}",
		"Prometheus' own":     "{apiVersion: monitoring.coreos.com/v1, kind: PodMonitor, metadata: {name: a}, spec: {selector: {}, endpoints: []}}",
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yaml")
		names[path] = name
		if err := os.WriteFile(path, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := kubeconform(t, schemas, "-output", "json", dir)
	if err == nil {
		t.Error("kubeconform accepts wrong fields: the test above cannot fail")
	}
	var found struct{ Resources []struct{ Filename string } }
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	for _, resource := range found.Resources {
		delete(names, resource.Filename)
	}
	for _, name := range names {
		t.Errorf("kubeconform accepts %s: the test above cannot fail\n%s", name, out)
	}
}

// kubeconform checks files and folders against schemas. More flags may precede them.
func kubeconform(t *testing.T, schemas string, manifests ...string) (string, error) {
	t.Helper()
	args := []string{"-strict", "-summary", "-schema-location", filepath.Join(schemas, apis.Location)}
	out, err := exec.CommandContext(t.Context(), built.Tool(t, "kubeconform"), append(args, manifests...)...).CombinedOutput()
	return string(out), err
}
