// Package chart tests what the chart renders, with both majors of Helm and as typed objects.
package chart

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/gruntwork-io/terratest/modules/logger"
	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/workqueue/workqueue/test/built"
)

const (
	chartDir    = "../../charts/workqueue"
	examplesDir = "../../values-examples"
	binDir      = "../../bin"
	namespace   = "somewhere"

	// The Kubernetes that the chart is rendered for; a real cluster tells Helm its own.
	kubeVersion = "1.34.4"
)

// eachHelm runs a test once with Helm 3 and once with Helm 4, the way terratest finds them: as helm on the PATH.
func eachHelm(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	for _, major := range []string{"helm3", "helm4"} {
		t.Run(major, func(t *testing.T) {
			useHelm(t, major)
			test(t)
		})
	}
}

func useHelm(t *testing.T, major string) {
	t.Helper()
	path, err := built.Path(major)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", path)
}

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

// valuesFile is not in t.TempDir, whose name is the test's: Helm splits the names of files at commas.
func valuesFile(t *testing.T, values string) string {
	t.Helper()
	file, err := os.CreateTemp("", "values-*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(file.Name()) })
	if _, err := file.WriteString(values); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// release is one rendering: which release, of which chart, with which values, for which Kubernetes.
type release struct {
	name   string
	chart  string
	files  []string
	values string
	kube   string
}

func (r release) options(t *testing.T) *helm.Options {
	t.Helper()
	files := slices.Clone(r.files)
	if r.values != "" {
		files = append(files, valuesFile(t, r.values))
	}
	return &helm.Options{
		ValuesFiles:    files,
		KubectlOptions: k8s.NewKubectlOptions("", "", namespace),
		Logger:         logger.Discard,
	}
}

func (r release) render(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if r.name == "" {
		r.name = "demo"
	}
	if r.chart == "" {
		r.chart = chartDir
	}
	if r.kube == "" {
		r.kube = kubeVersion
	}
	args = append([]string{"--kube-version", r.kube}, args...)
	out, err := helm.RenderTemplateContextE(t, t.Context(), r.options(t), r.chart, r.name, nil, args...)
	if stderr := new(interface{ Stderr() string }); errors.As(err, stderr) {
		return out, errors.New((*stderr).Stderr())
	}
	return out, err
}

// object is any Kubernetes object, typed underneath.
type object interface {
	runtime.Object
	metav1.Object
}

// Strict, so that a misspelt field is an error and not nothing.
var decoder = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

func (r release) objects(t *testing.T) objects {
	t.Helper()
	out, err := r.render(t)
	if err != nil {
		t.Fatalf("helm template: %v", err)
	}
	var all objects
	for document := range strings.SplitSeq("\n"+out, "\n---\n") {
		if !strings.Contains(document, "kind:") {
			continue
		}
		o, _, err := decoder.Decode([]byte(document), nil, nil)
		if runtime.IsNotRegisteredError(err) { // a kind of somebody else's, such as the Prometheus Operator's
			others := &unstructured.Unstructured{}
			o, err = others, yaml.Unmarshal([]byte(document), &others.Object)
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		all = append(all, o.(object))
	}
	if len(all) == 0 {
		t.Fatalf("no objects in\n%s", out)
	}
	return all
}

type objects []object

// of are the objects on which Helm acts at an event; those of no event are the release's own.
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

// live are all objects but those that only exist for a moment after an uninstall.
func (all objects) live() objects {
	return slices.DeleteFunc(slices.Clone(all), func(o object) bool {
		return o.GetAnnotations()["helm.sh/hook"] == "post-delete"
	})
}

func component(o object) string { return o.GetLabels()["app.kubernetes.io/component"] }

func kind(o object) string { return o.GetObjectKind().GroupVersionKind().Kind }

// find is the one live object of a type and component.
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

// pod is the pod that an object is, or makes; nil if neither.
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

// env is the value of a variable of a pod's only container, which has to have it.
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
