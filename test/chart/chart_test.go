// Package chart tests the objects that the chart renders, and what Helm 3 and Helm 4 do with it on the command line.
package chart

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/workqueue/workqueue/test/render"
)

const (
	chartDir    = "../../charts/workqueue"
	examplesDir = "../../values-examples"
	namespace   = "somewhere"

	// The version of Kubernetes that the chart is rendered for; with a real cluster Helm asks for it.
	kubeVersion = "1.34.4"
)

// examples are the values files that come with the project.
func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(examplesDir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no examples in %s", examplesDir)
	}
	return files
}

// release is one rendering: of a chart, for a release, with values, for a version of Kubernetes. Equal ones are rendered once.
type release struct {
	name       string
	chart      string
	files      []string
	values     string
	kube       string
	skipSchema bool
	plain      bool // without a cluster, as helm template renders
	again      int  // tells renderings of the same apart
}

// resolved returns the release with defaults for what it leaves out.
func (r release) resolved() release {
	r.name = cmp.Or(r.name, "demo")
	r.chart = cmp.Or(r.chart, chartDir)
	r.kube = cmp.Or(r.kube, kubeVersion)
	return r
}

// renderings are those so far, by release: many tests look at the same one.
var renderings sync.Map

type rendering struct {
	render.Rendered
	err error
}

// install renders in this process what an install would send and print. What the command lines render is the same: see
// TestTheCommandLinesRenderTheSame.
func (r release) install(t *testing.T) (render.Rendered, error) {
	t.Helper()
	r = r.resolved()
	key := fmt.Sprintf("%#v", r)
	if known, ok := renderings.Load(key); ok {
		return known.(rendering).Rendered, known.(rendering).err
	}
	values, err := render.Values(r.files...)
	if err != nil {
		t.Fatal(err)
	}
	more, err := chartutil.ReadValues([]byte(r.values))
	if err != nil {
		t.Fatalf("%v in the values\n%s", err, r.values)
	}
	merged := render.Printing(chartutil.MergeTables(more, values))
	rendered, err := render.Release{
		Chart: r.chart, Name: r.name, Namespace: namespace, Kube: r.kube, SkipSchema: r.skipSchema, Plain: r.plain,
	}.Render(merged)
	renderings.Store(key, rendering{rendered, err})
	return rendered, err
}

func (r release) render(t *testing.T) (string, error) {
	t.Helper()
	rendered, err := r.install(t)
	return rendered.Manifests, err
}

func (r release) objects(t *testing.T) objects {
	t.Helper()
	out, err := r.render(t)
	if err != nil {
		t.Fatalf("the chart does not render: %v", err)
	}
	all, err := render.Objects(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("no objects in\n%s", out)
	}
	return all
}

type object = render.Object

type objects []object

// of returns the objects on which Helm acts at an event; those of no event are the release's own.
func (all objects) of(event string) objects {
	var some objects
	for _, o := range all {
		events := strings.Split(o.GetAnnotations()["helm.sh/hook"], ",")
		if slices.Contains(events, event) {
			some = append(some, o)
		}
	}
	return some
}

// live returns all objects but those that exist only for a moment after an uninstall.
func (all objects) live() objects {
	return slices.DeleteFunc(slices.Clone(all), func(o object) bool {
		return o.GetAnnotations()["helm.sh/hook"] == "post-delete"
	})
}

func component(o object) string { return o.GetLabels()["app.kubernetes.io/component"] }

func kind(o object) string { return o.GetObjectKind().GroupVersionKind().Kind }

// find returns the one live object of a type and component.
func find[T object](t *testing.T, all objects, name string) T {
	t.Helper()
	var found []T
	for _, o := range all.live() {
		if typed, ok := o.(T); ok && component(o) == name {
			found = append(found, typed)
		}
	}
	if len(found) != 1 {
		t.Fatalf("found %d objects %T of component %q, want one", len(found), *new(T), name)
	}
	return found[0]
}

func workerJob(t *testing.T, all objects) *batchv1.Job { return find[*batchv1.Job](t, all, "worker") }

func seedJob(t *testing.T, all objects) *batchv1.Job { return find[*batchv1.Job](t, all, "seed") }

func testPod(t *testing.T, all objects) *corev1.Pod { return find[*corev1.Pod](t, all, "test") }

func redis(t *testing.T, all objects) *appsv1.StatefulSet {
	return find[*appsv1.StatefulSet](t, all, "redis")
}

// pod returns the pod that an object is or makes, nil if it is none and makes none.
func pod(o object) *corev1.PodTemplateSpec {
	switch o := o.(type) {
	case *appsv1.StatefulSet:
		return &o.Spec.Template
	case *appsv1.Deployment:
		return &o.Spec.Template
	case *batchv1.Job:
		return &o.Spec.Template
	case *batchv1.CronJob:
		return &o.Spec.JobTemplate.Spec.Template
	case *corev1.Pod:
		return &corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
	}
	return nil
}

// env returns the value of a variable of a pod's only container, which must have it.
func env(t *testing.T, spec corev1.PodSpec, name string) string {
	t.Helper()
	value, ok := lookupEnv(spec, name)
	if !ok {
		t.Fatalf("container %s has no variable %s", spec.Containers[0].Name, name)
	}
	return value
}

func lookupEnv(spec corev1.PodSpec, name string) (string, bool) {
	for _, e := range spec.Containers[0].Env {
		if e.Name == name {
			return e.Value, true
		}
	}
	return "", false
}

func queueName(t *testing.T, all objects) string {
	t.Helper()
	return env(t, workerJob(t, all).Spec.Template.Spec, "WQ_QUEUE")
}
