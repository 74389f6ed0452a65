package e2e

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/workqueue/workqueue/test/kube"
)

// TestWithoutHooks installs everything as ordinary objects, and looks at what each pod can see and do: without hooks they
// are all still there at the end.
func TestWithoutHooks(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "plain")
	s.install([]string{fruits}, map[string]string{
		"hooks.enabled":  "false",
		"test.enabled":   "true",
		"redis.password": `"open sesame"`,
		"worker.image":   program(t),
		"worker.command": `["sh", "-c", "echo user $(id -u); env; cat /proc/[0-9]*/environ | tr '\\0' '\\n'; touch /here; ls /var/run/secrets; true"]`,
	}, "--wait")
	s.complete("OK: all 9 items are done")

	logs := s.logs()
	kube.WantText(t, logs, "user 65532", "WQ_ITEM=apple", "'/proc/1/environ': Permission denied", "touch: /here: Read-only file system", "ls: /var/run/secrets: No such file")
	for _, secret := range []string{"open sesame", "WQ_REDIS_"} {
		if strings.Contains(logs, secret) {
			t.Errorf("the program can read %q:\n%s", secret, logs)
		}
	}
	seen := map[string]bool{}
	for _, pod := range s.pods() {
		seen[pod.Labels["app.kubernetes.io/component"]] = true
		for _, volume := range pod.Spec.Volumes {
			if volume.Projected != nil {
				t.Errorf("%s has the projected volume %s, which may hold a token", pod.Name, volume.Name)
			}
		}
	}
	for _, component := range []string{"redis", "seed", "worker", "monitor", "test"} {
		if !seen[component] {
			t.Errorf("there was no pod of %s to look at", component)
		}
	}
	s.uninstall()
}

// TestArgoCD delivers the chart as Argo CD does: rendered, what has gone pruned, the rest applied one object after the other,
// in its order, on every sync. What runs meanwhile must not notice.
func TestArgoCD(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "argocd")
	app := &application{space: s}
	run := map[string]string{
		"itemsFrom.range": `{"start": 1, "end": 891}`, // more than a slow machine can finish before the command changes
		"worker.image":    program(t),
		"worker.command":  `["sh", "-c", "echo slow $0; sleep 3"]`,
	}
	app.sync(run)
	queue := s.queue()
	s.works("slow ")

	before := s.Identities()
	app.sync(run)
	if after := s.Identities(); before != after {
		t.Errorf("a second sync of the same made of\n%s\nthis:\n%s", before, after)
	}

	run["worker.command"] = `["echo", "fast"]`
	app.sync(run)
	if now := s.queue(); now != queue {
		t.Errorf("another command brought another queue: %s after %s", now, queue)
	}
	app.complete("OK: all 900 items are done")
	kube.WantText(t, s.logs(), "fast 891")
	if strings.Contains(s.logs(), "fast apple") {
		t.Errorf("the second Job began from the beginning:\n%s", s.logs())
	}

	delete(run, "itemsFrom.range")
	run["items"] = `["kiwi", "lime"]`
	app.sync(run)
	app.complete("seeded     2", "OK: all 2 items are done")
	kube.WantText(t, s.logs(), "fast kiwi", "fast lime")
	seeds := s.Must("get", "jobs,configmaps", "-l", "app.kubernetes.io/component=seed", "-o", "name")
	if n := len(strings.Fields(seeds)); n != 2 {
		t.Errorf("the run before has left something: %s", seeds)
	}
}

// application is a release that Argo CD would manage.
type application struct {
	*space
	synced []string                   // kind/name of what the last sync applied
	test   *unstructured.Unstructured // the pod of helm test, which Argo CD leaves out
}

// argoOrder are the kinds in the order in which Argo CD applies those of one wave; within a kind it goes by name.
var argoOrder = []string{
	"NetworkPolicy", "PodDisruptionBudget", "ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim", "Role", "RoleBinding",
	"Service", "Pod", "Deployment", "StatefulSet", "Job",
}

func (a *application) sync(single map[string]string, more ...string) {
	a.Helper()
	args := append([]string{"template", kube.Release, chart, "--set", "hooks.enabled=false,test.enabled=true"}, kube.Values([]string{fruits}, single)...)
	rendered, err := a.helm(append(args, more...)...)
	if err != nil {
		a.Fatalf("helm template: %v", err)
	}
	var objects []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(rendered), 4096); ; {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			a.Fatalf("helm template: %v", err)
		}
		switch hook := object.GetAnnotations()["helm.sh/hook"]; {
		case len(object.Object) == 0:
		case hook == "":
			if !slices.Contains(argoOrder, object.GetKind()) {
				a.Fatalf("at which place does Argo CD apply a %s?", object.GetKind())
			}
			objects = append(objects, object)
		case hook == "test" && object.GetKind() == "Pod":
			a.test = object
		case hook != "post-delete":
			a.Errorf("%s %s is a hook of %s, which Argo CD would run on every sync", object.GetKind(), object.GetName(), hook)
		}
	}
	slices.SortFunc(objects, func(x, y *unstructured.Unstructured) int {
		if d := slices.Index(argoOrder, x.GetKind()) - slices.Index(argoOrder, y.GetKind()); d != 0 {
			return d
		}
		return strings.Compare(x.GetName(), y.GetName())
	})
	var names []string
	for _, object := range objects {
		names = append(names, strings.ToLower(object.GetKind())+"/"+object.GetName())
	}
	for _, name := range a.synced {
		if !slices.Contains(names, name) {
			a.Must("delete", name, "--cascade=foreground", "--wait=false")
		}
	}
	a.create(objects...)
	a.synced = names
}

// create applies objects one after the other.
func (a *application) create(objects ...*unstructured.Unstructured) {
	a.Helper()
	var manifests strings.Builder
	for _, object := range objects {
		text, err := object.MarshalJSON()
		if err != nil {
			a.Fatal(err)
		}
		fmt.Fprintf(&manifests, "---\n%s\n", text)
	}
	a.Apply(manifests.String())
}

// complete waits for the end of the run as helm test does.
func (a *application) complete(wanted ...string) {
	a.Helper()
	a.create(a.test)
	pod := a.test.GetName()
	var phase corev1.PodPhase
	eventually(a.T, "the test has ended", func() bool {
		phase = a.getPod(pod).Status.Phase
		return phase == corev1.PodSucceeded || phase == corev1.PodFailed
	}, func() string { return a.Must("logs", pod) })
	report := a.Must("logs", pod)
	if phase != corev1.PodSucceeded {
		a.Fatalf("the test failed:\n%s", report)
	}
	kube.WantText(a.T, report, wanted...)
	a.Must("delete", "pod", pod)
	a.waitForJob()
}
