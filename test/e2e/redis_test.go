package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/cert"

	"github.com/workqueue/workqueue/test/kube"
)

// sharedRedis makes a Redis that is not the release's, as the example of one speaks of it: TLS, a password, and a user that can
// touch only the keys of this release. There are keys of others in it.
func sharedRedis(s *space) map[string]string {
	host := "cache." + s.Kubectl.Namespace + ".svc"
	certificate, key, err := cert.GenerateSelfSignedCertKey(host, nil, nil)
	if err != nil {
		s.Fatal(err)
	}
	mine := s.Kubectl.Namespace + "/" + kube.Release
	acl := fmt.Sprintf("user default on nopass ~* &* +@all\nuser workqueue on >open-sesame ~%s-* ~{%s-*}:* +@all -@dangerous +info\n", mine, mine)
	s.Apply(fmt.Sprintf(`{apiVersion: v1, kind: Secret, metadata: {name: cache}, stringData: {password: open-sesame, ca.crt: %q}}`, certificate))
	s.Apply(fmt.Sprintf(`{apiVersion: v1, kind: Secret, metadata: {name: cache-server}, stringData: {tls.crt: %q, tls.key: %q, users.acl: %q}}`,
		certificate, key, acl))
	s.Apply(`{apiVersion: v1, kind: Service, metadata: {name: cache}, spec: {selector: {app: cache}, ports: [{port: 6380}]}}`)
	s.pod("cache", corev1.Container{
		Image: redisImage(s),
		Command: []string{"redis-server", "--dir", "/tmp", "--save", "", "--protected-mode", "no", "--aclfile", "/tls/users.acl",
			"--tls-port", "6380", "--tls-auth-clients", "no",
			"--tls-cert-file", "/tls/tls.crt", "--tls-key-file", "/tls/tls.key", "--tls-ca-cert-file", "/tls/tls.crt"},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"redis-cli", "ping"}}},
			PeriodSeconds: 1,
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "tls", MountPath: "/tls"}},
	}, corev1.Volume{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "cache-server"}}})
	s.Must("wait", "--for=condition=Ready", "--timeout=2m", "pod/cache")
	for _, key := range foreign(s) {
		if out, err := s.exec("cache", "redis-cli", "rpush", key, "not yours"); err != nil {
			s.Fatalf("redis-cli: %v\n%s", err, out)
		}
	}
	return map[string]string{"redis.external.url": fmt.Sprintf("%q", "rediss://"+host+":6380/0")}
}

// foreign are queues that releases of nearly the same name would have.
func foreign(s *space) []string {
	queue := kube.Release + "-0123456789"
	return []string{queue, "elsewhere/" + queue, s.Kubectl.Namespace + "/" + kube.Release + "-too-0123456789"}
}

// onlyOthers wants to see in Redis what was there before the release, and nothing else.
func onlyOthers(s *space) {
	out, err := s.exec("cache", "redis-cli", "--raw", "keys", "*")
	if err != nil {
		s.Fatalf("redis-cli: %v\n%s", err, out)
	}
	keys, want := strings.Fields(out), foreign(s)
	slices.Sort(keys)
	slices.Sort(want)
	if !slices.Equal(keys, want) {
		s.Errorf("after the uninstall the shared Redis has the keys %q, want %q", keys, want)
	}
}

// redisImage is the image that the chart takes for its own Redis on this cluster.
func redisImage(s *space) string {
	var values struct {
		Redis struct {
			Image struct{ Repository, Tag string }
		}
	}
	for _, file := range []string{chart + "/values.yaml", kube.ValuesFile()} {
		text, err := os.ReadFile(file)
		if err == nil {
			err = yaml.Unmarshal(text, &values)
		}
		if err != nil {
			s.Fatalf("%s: %v", file, err)
		}
	}
	return values.Redis.Image.Repository + ":" + values.Redis.Image.Tag
}
