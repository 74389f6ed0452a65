package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/workqueue/workqueue/test/kube"
)

// TestNetwork tries to reach Redis from another namespace, while the pods of the release reach it.
func TestNetwork(t *testing.T) {
	t.Parallel()
	stranger := newSpace(t, "stranger")
	stranger.pod("knock", corev1.Container{Image: kube.ProgramImage(t), Command: []string{"sleep", "600"}})
	stranger.Must("wait", "--for=condition=Ready", timeout, "pod/knock")
	knocks := func(address string) bool {
		out, _ := stranger.exec("knock", "sh", "-c", "nc -w 2 "+address+" </dev/null && echo open")
		return strings.Contains(out, "open")
	}
	if !stranger.enforced(knocks) {
		t.Skip("the network of this cluster does not enforce NetworkPolicies")
	}

	s := newSpace(t, "network")
	s.install([]string{fruits}, map[string]string{"networkPolicy.enabled": "false"})
	redis := s.Must("get", "service", kube.Release+"-redis", "-o", "jsonpath={.spec.clusterIP}") + " 6379"
	if !knocks(redis) {
		t.Fatal("Redis cannot be reached without a NetworkPolicy, so this would show nothing")
	}
	s.upgrade(nil)
	s.complete("OK: all 9 items are done")
	eventually(t, "the NetworkPolicy keeps a stranger from Redis", func() bool { return !knocks(redis) },
		func() string { return "it still gets through to " + redis })
	report, err := s.verify()
	if err != nil {
		t.Errorf("the NetworkPolicy keeps the release's own pods from Redis: %v\n%s", err, report)
	}
}

// enforced reports whether this cluster enforces NetworkPolicies: whether a pod that one forbids everything can still be reached.
func (s *space) enforced(knocks func(address string) bool) bool {
	s.Helper()
	s.Apply(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: mute}
spec: {podSelector: {}, policyTypes: [Egress]}
`)
	defer s.Must("delete", "networkpolicy", "mute")
	for range 5 { // it may take a moment
		if !knocks("$KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT") {
			return true
		}
	}
	return false
}
