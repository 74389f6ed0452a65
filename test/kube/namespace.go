package kube

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/gruntwork-io/terratest/modules/shell"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Release is what the one release in a namespace is called.
const Release = "run"

// Namespace is one of the test's own, in which Pod Security "restricted" is enforced.
type Namespace struct {
	*testing.T
	Kubectl *k8s.KubectlOptions
	Client  kubernetes.Interface
}

// NewNamespace makes a namespace, and removes it when all cleanups that are registered later are through. One of those should
// be ReportIfFailed.
func NewNamespace(t *testing.T, stem string) *Namespace {
	t.Helper()
	name := fmt.Sprintf("%s-%d", stem, time.Now().UnixNano()%1e9)
	n := &Namespace{T: t, Kubectl: k8s.NewKubectlOptions("", "", name)}
	n.Kubectl.Logger = logger.Discard
	client, err := k8s.GetKubernetesClientFromOptionsContextE(t, t.Context(), n.Kubectl)
	if err != nil {
		t.Fatal(err)
	}
	n.Client = client
	k8s.CreateNamespaceWithMetadataContext(t, t.Context(), n.Kubectl, metav1.ObjectMeta{
		Name:   name,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	})
	t.Cleanup(func() { _, _ = n.Try("delete", "namespace", name, "--wait=false") })
	return n
}

// ReportIfFailed prints what a person would look at to find out why the test failed.
func (n *Namespace) ReportIfFailed() {
	if !n.Failed() {
		return
	}
	for _, args := range [][]string{
		{"get", "all", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
		{"logs", "--prefix", "--tail=30", "--all-containers", "--ignore-errors", "-l", "app.kubernetes.io/instance=" + Release},
	} {
		out, _ := n.Try(args...)
		n.Logf("kubectl %s\n%s", strings.Join(args, " "), out)
	}
}

// Try runs kubectl in the namespace, even when the test is over.
func (n *Namespace) Try(args ...string) (string, error) {
	return k8s.RunKubectlAndGetOutputContextE(n.T, context.WithoutCancel(n.Context()), n.Kubectl, args...)
}

// Logs returns what a container of a pod has printed so far: nothing before it starts, or when the pod is gone.
func (n *Namespace) Logs(pod, container string) string {
	n.Helper()
	logs := n.Client.CoreV1().Pods(n.Kubectl.Namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container})
	text, err := logs.DoRaw(n.Context())
	if err != nil && !errors.IsNotFound(err) && !errors.IsBadRequest(err) {
		n.Fatalf("logs of %s: %v", pod, err)
	}
	return string(text)
}

// Must runs kubectl in the namespace, and fails the test if it fails.
func (n *Namespace) Must(args ...string) string {
	n.Helper()
	out, err := n.Try(args...)
	if err != nil {
		n.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Pipe runs kubectl in the namespace with a text on its standard input, and returns its standard output.
func (n *Namespace) Pipe(text string, args ...string) (string, error) {
	return shell.RunCommandContextAndGetStdOutE(n.T, n.Context(), &shell.Command{
		Command: "kubectl", Args: append([]string{"--namespace", n.Kubectl.Namespace}, args...),
		Stdin: strings.NewReader(text), Logger: logger.Discard,
	})
}

// Apply creates or changes what manifests describe.
func (n *Namespace) Apply(manifests string) {
	n.Helper()
	if _, err := n.Pipe(manifests, "apply", "-f", "-"); err != nil {
		n.Fatalf("kubectl apply: %v\n%s", err, manifests)
	}
}

// Identities tell whether an object is still the one it was, with the specification it had, and a pod's containers too.
func (n *Namespace) Identities() string {
	n.Helper()
	return n.Must("get", "networkpolicies,configmaps,secrets,services,statefulsets,deployments,jobs,pods", "-o", "jsonpath={range .items[*]}"+
		"{.kind}/{.metadata.name} {.metadata.uid} {.metadata.generation} {.status.containerStatuses[*].restartCount}{\"\\n\"}{end}")
}
