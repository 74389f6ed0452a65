// Package e2e installs the chart on a real cluster and watches what happens. Each test has a namespace of its own, in
// which Pod Security "restricted" is enforced.
package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/workqueue/workqueue/test/kube"
)

const (
	root    = "../.."
	chart   = root + "/charts/workqueue"
	fruits  = root + "/values-examples/fruits.yaml"
	patient = 8 * time.Minute // far more than anything here takes
)

// timeout is patient as a flag of kubectl and Helm.
var timeout = "--timeout=" + patient.String()

func TestMain(m *testing.M) {
	code := kube.Main(m, "4")
	removeCustomKinds()
	os.Exit(code)
}

// space is a namespace with one release in it.
type space struct {
	*kube.Namespace
	major   string          // which Helm
	release string          // what the release is called
	others  map[string]bool // objects that are not the release's
}

// eachHelm runs a test with each major of Helm, one after the other: side by side, they would wait until all other tests have begun.
func eachHelm(t *testing.T, test func(t *testing.T, major string)) {
	t.Parallel()
	for _, major := range []string{"helm3", "helm4"} {
		t.Run(major, func(t *testing.T) { test(t, major) })
	}
}

// newSpace makes a namespace that ends with the test. If the test fails, what happened in it is printed before.
func newSpace(t *testing.T, name string) *space {
	t.Helper()
	s := &space{Namespace: kube.NewNamespace(t, "e2e-"+name), major: "helm4", release: kube.Release}
	t.Cleanup(s.ReportIfFailed)
	return s
}

// exec runs a command in a pod.
func (s *space) exec(pod string, command ...string) (string, error) {
	return s.Try(append([]string{"exec", pod, "--"}, command...)...)
}

// verb runs a verb of the worker in the monitor, and returns what it printed.
func (s *space) verb(args ...string) string {
	s.Helper()
	return s.Must(append([]string{"exec", "deploy/" + s.release + "-monitor", "--", "worker"}, args...)...)
}

// pod runs one container in a pod that fits Pod Security "restricted".
func (s *space) pod(name string, container corev1.Container, volumes ...corev1.Volume) {
	s.Helper()
	no, yes, user := false, true, int64(65532)
	container.Name = name
	container.SecurityContext = &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no,
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	pod := corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, RunAsUser: &user, FSGroup: &user,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{container},
			Volumes:    volumes,
		},
	}
	text, err := json.Marshal(pod)
	if err != nil {
		s.Fatal(err)
	}
	s.Apply(string(text))
}

// volume lets the claim that will have this name find a volume. A cluster made by test/kind gets one from here, because the
// provisioner of a node image built there gives volumes to root alone; any other cluster provides them itself.
func (s *space) volume(claim string) {
	s.Helper()
	cluster := os.Getenv("KIND_CLUSTER")
	if cluster == "" {
		return
	}
	nodes := strings.Fields(s.Must("get", "nodes", "-o", "name"))
	node := strings.TrimPrefix(nodes[len(nodes)-1], "node/") // a worker, if there are any
	name := s.Kubectl.Namespace + "-" + claim
	folder := "/var/lib/workqueue-volumes/" + name
	docker := func(command ...string) {
		if out, err := exec.Command("docker", append([]string{"exec", node}, command...)...).CombinedOutput(); err != nil {
			s.Errorf("docker exec %s %v: %v\n%s", node, command, err, out)
		}
	}
	docker("mkdir", "-p", folder)
	s.Apply(fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: %s}
spec:
  local: {path: %s}
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: standard
  claimRef: {namespace: %s, name: %s}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [%s]}]}]}}
`, name, folder, s.Kubectl.Namespace, claim, node))
	s.Cleanup(func() {
		_, _ = s.Try("delete", "persistentvolume", name, "--wait=false")
		docker("rm", "-rf", folder)
	})
}

// helm runs the Helm of this test, and returns what it printed on its standard output.
func (s *space) helm(args ...string) (string, error) { return s.Helm(s.major, args...) }

// deliver installs or upgrades with values files, single values as JSON, and further arguments for Helm.
func (s *space) deliver(verb string, files []string, single map[string]string, more ...string) error {
	args := append([]string{verb, s.release, chart, timeout}, kube.Values(files, single)...)
	_, err := s.helm(append(args, more...)...)
	return err
}

func (s *space) install(files []string, single map[string]string, more ...string) {
	s.Helper()
	if err := s.deliver("install", files, single, more...); err != nil {
		s.Fatalf("helm install: %v", err)
	}
}

// upgrade upgrades a release of the fruits to exactly these values.
func (s *space) upgrade(single map[string]string, more ...string) {
	s.Helper()
	if err := s.deliver("upgrade", []string{fruits}, single, more...); err != nil {
		s.Fatalf("helm upgrade: %v", err)
	}
}

// uninstall removes the release, and fails the test if anything of it is left in the namespace.
func (s *space) uninstall() {
	s.Helper()
	if _, err := s.helm("uninstall", s.release, "--wait"); err != nil {
		s.Fatalf("helm uninstall: %v", err)
	}
	eventually(s.T, "the release's pods are gone", func() bool { return len(s.pods()) == 0 }, func() string { return fmt.Sprint(len(s.pods()), " are left") })
	var left []string
	eventually(s.T, "nothing is left of the release", func() bool {
		objects, err := s.objects()
		left = slices.DeleteFunc(objects, func(object string) bool { return s.others[object] })
		return err == nil && len(left) == 0
	}, func() string { return "still there: " + strings.Join(left, " ") })
}

// keep notes what is in the namespace now, which uninstall may leave.
func (s *space) keep() {
	s.Helper()
	s.others = map[string]bool{}
	eventually(s.T, "kubectl lists what there is", func() bool {
		objects, err := s.objects()
		for _, object := range objects {
			s.others[object] = true
		}
		return err == nil
	}, func() string { return "it did not" })
}

// objects returns the names of everything in the namespace except what Kubernetes itself puts there. It fails when another test
// removes a kind meanwhile.
func (s *space) objects() ([]string, error) {
	kinds, err := s.Try("api-resources", "--namespaced", "--verbs=list", "-o", "name")
	if err != nil {
		return nil, err
	}
	listed := slices.DeleteFunc(strings.Fields(kinds), func(kind string) bool {
		// endpoints are only a deprecated view of endpointslices, and kubectl warns of it.
		return kind == "endpoints" || strings.HasPrefix(kind, "event")
	})
	objects, err := s.Try("get", strings.Join(listed, ","), "-o", "name", "--ignore-not-found")
	return slices.DeleteFunc(strings.Fields(objects), func(object string) bool {
		return object == "configmap/kube-root-ca.crt" || object == "serviceaccount/default"
	}), err
}

// verify runs helm test, and returns what it printed and an error if it failed.
func (s *space) verify() (string, error) {
	s.Helper()
	return s.helm("test", s.release, "--logs", timeout)
}

// complete waits for the end of the run, and for helm test to find that all of it is done. It returns the report.
func (s *space) complete(wanted ...string) string {
	s.Helper()
	s.done()
	report, err := s.verify()
	if err != nil {
		s.Fatalf("helm test: %v\n%s", err, report)
	}
	kube.WantText(s.T, report, append(wanted, "OK: ")...)
	return report
}

// done waits for the end of the run. The Job is Complete only when every item is done.
func (s *space) done() {
	s.Helper()
	if end := s.waitForJob(); end.Type != batchv1.JobComplete {
		s.Fatalf("the worker Job is %s: %s %s", end.Type, end.Reason, end.Message)
	}
}

// job is the worker Job. There is one, but for those that are about to go, and its name is a hash.
func (s *space) job() batchv1.Job {
	s.Helper()
	all, err := s.Client.BatchV1().Jobs(s.Kubectl.Namespace).List(s.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=worker"})
	if err != nil {
		s.Fatal(err)
	}
	jobs := slices.DeleteFunc(all.Items, func(job batchv1.Job) bool { return job.DeletionTimestamp != nil })
	if len(jobs) != 1 {
		s.Fatalf("%d worker Jobs in place of 1", len(jobs))
	}
	return jobs[0]
}

// waitForJob waits until the worker Job has ended, and returns how: Complete or Failed, and why.
func (s *space) waitForJob() (end batchv1.JobCondition) {
	s.Helper()
	eventually(s.T, "the worker Job ends", func() bool {
		job := s.job()
		ended := kube.End(&job)
		if ended != nil {
			end = *ended
		}
		return ended != nil
	}, func() string { return fmt.Sprintf("its status is %+v", s.job().Status) })
	return end
}

// workers are the pods of the worker Job, those that have ended included.
func (s *space) workers() []corev1.Pod {
	s.Helper()
	return s.listPods("batch.kubernetes.io/job-name=" + s.job().Name)
}

func (s *space) getPod(name string) *corev1.Pod {
	s.Helper()
	pod, err := s.Client.CoreV1().Pods(s.Kubectl.Namespace).Get(s.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return pod
}

func (s *space) listPods(selector string) []corev1.Pod {
	s.Helper()
	pods, err := s.Client.CoreV1().Pods(s.Kubectl.Namespace).List(s.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		s.Fatal(err)
	}
	return pods.Items
}

// pods are all of the release.
func (s *space) pods() []corev1.Pod {
	s.Helper()
	return s.listPods("app.kubernetes.io/instance=" + s.release)
}

// logs are those of all workers.
func (s *space) logs() string {
	s.Helper()
	var all strings.Builder
	for _, pod := range s.workers() {
		all.WriteString(s.Logs(pod.Name, "worker"))
		all.WriteString("\n")
	}
	return all.String()
}

// printed waits until a container of one of the pods, but not of the other one, has printed a text. It returns the pod's name.
func (s *space) printed(text, container, other string, pods func() []corev1.Pod) (name string) {
	s.Helper()
	eventually(s.T, fmt.Sprintf("a pod prints %q", text), func() bool {
		for _, pod := range pods() {
			if pod.Name != other && strings.Contains(s.Logs(pod.Name, container), text) {
				name = pod.Name
			}
		}
		return name != ""
	}, func() string { return fmt.Sprintf("none of %d pods did", len(pods())) })
	return name
}

func eventually(t *testing.T, what string, is func() bool, found func() string) {
	t.Helper()
	kube.Eventually(t, patient, what, is, found)
}

// wantRefusal wants Helm to have refused, with this reason.
func wantRefusal(t *testing.T, err error, reason string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), reason) {
		t.Errorf("Helm did not refuse with %q: %v", reason, err)
	}
}

// program is an image with a shell in it, as a value.
func program(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%q", kube.ProgramImage(t))
}
