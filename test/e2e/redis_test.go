package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/workqueue/workqueue/test/kube"
)

// server installs test/charts/redis with single values as JSON. Its name is that of its pods, of its Service, and of the Secret for its clients.
func (s *space) server(name, image string, single map[string]string) {
	s.Helper()
	args := []string{"install", name, root + "/test/charts/redis", "--wait", "--set", "image=" + image}
	for key, value := range single {
		args = append(args, "--set-json", key+"="+value)
	}
	if out, err := s.helm(args...); err != nil {
		s.Fatalf("helm install %s: %v\n%s", name, err, out)
	}
}

// serverRuns runs a script of test/charts/redis in one of its pods, and returns what it prints.
func (s *space) serverRuns(pod, script string, args ...string) string {
	s.Helper()
	return strings.TrimSpace(s.Must(append([]string{"exec", pod, "--container=redis", "--", "/scripts/" + script}, args...)...))
}

// sharedRedis makes a Redis that is not the release's, as the example of one speaks of it: TLS, a password, and a user that can
// touch only the keys of this release. There are keys of others in it.
func sharedRedis(s *space) map[string]string {
	mine := s.Kubectl.Namespace + "/" + kube.Release
	s.server("cache", redisImage(s), map[string]string{
		"port": "6380", "tls": `"server"`, "password": `"open-sesame"`,
		"users": fmt.Sprintf(`["workqueue on >open-sesame ~%s-* ~{%s-*}:* +@all -@dangerous +info"]`, mine, mine),
	})
	for _, key := range foreign(s) {
		s.serverRuns("cache-0", "cli", "rpush", key, "not yours")
	}
	return map[string]string{"redis.external.url": fmt.Sprintf(`"rediss://cache.%s.svc:6380/0"`, s.Kubectl.Namespace)}
}

// foreign are queues that releases of nearly the same name would have.
func foreign(s *space) []string {
	queue := kube.Release + "-0123456789"
	return []string{queue, "elsewhere/" + queue, s.Kubectl.Namespace + "/" + kube.Release + "-too-0123456789"}
}

// onlyOthers wants to see in Redis what was there before the release, and nothing else.
func onlyOthers(s *space) {
	keys, want := strings.Fields(s.serverRuns("cache-0", "cli", "keys", "*")), foreign(s)
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
