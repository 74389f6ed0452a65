// Package e2e installs the chart on a real cluster and watches what happens. Each test has a namespace of its own, in
// which Pod Security "restricted" is enforced.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/gruntwork-io/terratest/modules/logger"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	root    = "../.."
	chart   = root + "/charts/workqueue"
	fruits  = root + "/values-examples/fruits.yaml"
	patient = 3 * time.Minute // far more than anything here takes
)

func TestMain(m *testing.M) {
	usePath("helm4")
	os.Exit(m.Run())
}

func usePath(helmMajor string) {
	bin, err := filepath.Abs(root + "/bin")
	if err == nil {
		_, err = os.Stat(filepath.Join(bin, helmMajor, "helm"))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v: run these tests with make test-e2e\n", err)
		os.Exit(1)
	}
	path := strings.Split(os.Getenv("PATH"), ":")
	for len(path) > 0 && strings.HasPrefix(path[0], bin) {
		path = path[1:]
	}
	_ = os.Setenv("PATH", strings.Join(append([]string{filepath.Join(bin, helmMajor), bin}, path...), ":"))
}

// space is a namespace with one release in it.
type space struct {
	*testing.T
	kubectl *k8s.KubectlOptions
	release string
}

// newSpace makes a namespace that ends with the test. If the test fails, what happened in it is printed before.
func newSpace(t *testing.T, name string) *space {
	t.Helper()
	name = fmt.Sprintf("e2e-%s-%d", name, time.Now().UnixNano()%1e8)
	s := &space{t, k8s.NewKubectlOptions("", "", name), "run"}
	s.kubectl.Logger = logger.Discard
	k8s.CreateNamespaceWithMetadataContext(t, t.Context(), s.kubectl, metav1.ObjectMeta{
		Name:   name,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	})
	t.Cleanup(func() {
		if t.Failed() {
			s.tell()
		}
		_ = k8s.RunKubectlContextE(t, context.Background(), s.kubectl, "delete", "namespace", name, "--wait=false")
	})
	return s
}

// tell prints what a person would look at to find out why a test failed.
func (s *space) tell() {
	for _, args := range [][]string{
		{"get", "all"},
		{"get", "events", "--sort-by=.lastTimestamp"},
		{"logs", "--prefix", "--tail=30", "--all-containers", "--ignore-errors", "-l", "app.kubernetes.io/instance=" + s.release},
	} {
		out, _ := k8s.RunKubectlAndGetOutputContextE(s.T, context.Background(), s.kubectl, args...)
		s.Logf("kubectl %s\n%s", strings.Join(args, " "), out)
	}
}

func (s *space) options(files []string, values map[string]string) *helm.Options {
	return &helm.Options{
		KubectlOptions: s.kubectl,
		ValuesFiles:    append([]string{root + "/bin/kind/values.yaml"}, files...),
		SetJSONValues:  values,
		Logger:         logger.Discard,
	}
}

// install installs the chart with values files, and values as JSON.
func (s *space) install(files []string, values map[string]string) {
	s.Helper()
	if err := helm.InstallContextE(s, s.Context(), s.options(files, values), chart, s.release); err != nil {
		s.Fatalf("helm install: %v", err)
	}
}

// uninstall removes the release, and fails the test if anything of it is left in the namespace.
func (s *space) uninstall() {
	s.Helper()
	options := s.options(nil, nil)
	options.ExtraArgs = map[string][]string{"delete": {"--wait"}}
	if err := helm.DeleteContextE(s, s.Context(), options, s.release, true); err != nil {
		s.Fatalf("helm uninstall: %v", err)
	}
	kinds, err := k8s.RunKubectlAndGetOutputContextE(s.T, s.Context(), s.kubectl, "api-resources", "--namespaced", "--verbs=list", "-o", "name")
	if err != nil {
		s.Fatal(err)
	}
	var left []string
	eventually(s.T, "nothing is left of the release", func() bool {
		out, err := k8s.RunKubectlAndGetOutputContextE(s.T, s.Context(), s.kubectl,
			"get", strings.Join(slices.DeleteFunc(strings.Fields(kinds), func(kind string) bool {
				return kind == "endpoints" // only a deprecated view of endpointslices, and kubectl warns of it
			}), ","), "-o", "name", "--ignore-not-found")
		left = nil
		for _, object := range strings.Fields(out) {
			switch {
			case strings.HasPrefix(object, "event"), object == "configmap/kube-root-ca.crt", object == "serviceaccount/default":
			default:
				left = append(left, object)
			}
		}
		return err == nil && len(left) == 0
	}, func() string { return "still there: " + strings.Join(left, " ") })
}

// verify runs helm test and answers what it printed, and whether it passed.
func (s *space) verify() (string, error) {
	s.Helper()
	return helm.RunHelmCommandAndGetStdOutContextE(s, s.Context(), s.options(nil, nil), "test", s.release, "--logs")
}

// job is the worker Job. There is one, and its name is a hash.
func (s *space) job() batchv1.Job {
	s.Helper()
	jobs := k8s.ListJobsContext(s, s.Context(), s.kubectl, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=worker"})
	if len(jobs) != 1 {
		s.Fatalf("%d worker Jobs in place of 1", len(jobs))
	}
	return jobs[0]
}

// waitForJob waits until the worker Job has ended, and answers how: Complete or Failed, and why.
func (s *space) waitForJob() (end batchv1.JobCondition) {
	s.Helper()
	eventually(s.T, "the worker Job ends", func() bool {
		for _, condition := range s.job().Status.Conditions {
			if condition.Status == corev1.ConditionTrue &&
				(condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) {
				end = condition
				return true
			}
		}
		return false
	}, func() string { return fmt.Sprintf("its status is %+v", s.job().Status) })
	return end
}

// workers are the pods of the worker Job, those that have ended included.
func (s *space) workers() []corev1.Pod {
	s.Helper()
	return k8s.ListPodsContext(s, s.Context(), s.kubectl, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + s.job().Name})
}

// logs are those of all workers.
func (s *space) logs() string {
	s.Helper()
	var all strings.Builder
	for _, pod := range s.workers() {
		all.WriteString(k8s.GetPodLogsContext(s, s.Context(), s.kubectl, &pod, "worker"))
		all.WriteString("\n")
	}
	return all.String()
}

// exec runs a command in a pod.
func (s *space) exec(pod string, command ...string) (string, error) {
	return k8s.RunKubectlAndGetOutputContextE(s.T, s.Context(), s.kubectl, append([]string{"exec", pod, "--"}, command...)...)
}

// eventually waits for something to come true, and else tells what it found instead.
func eventually(t *testing.T, what string, true func() bool, found func() string) {
	t.Helper()
	for deadline := time.Now().Add(patient); ; time.Sleep(300 * time.Millisecond) {
		if true() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v until %s; %s", patient, what, found())
		}
	}
}

func wantText(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}

// program is an image that is not the project's own, with a shell in it.
func program(t *testing.T) string {
	t.Helper()
	image := os.Getenv("WQ_TEST_PROGRAM_IMAGE")
	if image == "" {
		t.Fatal("WQ_TEST_PROGRAM_IMAGE names no image: run these tests with make test-e2e")
	}
	return fmt.Sprintf("%q", image)
}
