package e2e

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/workqueue/workqueue/test/kube"
)

// TestFormerQueues gives a release one queue.name after another, in a Redis that others use, too. The last upgrade fails, and a rollback
// goes to the revision before, which does not know the last name. The uninstall takes all of those queues away, and no other.
func TestFormerQueues(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "former")
	s.server("cache", redisImage(s), nil)
	s.serverRuns("cache-0", "cli", "rpush", "others", "not yours")
	s.keep()

	named := func(queue, more string) map[string]string {
		return map[string]string{
			"queue.name":         strconv.Quote(queue),
			"redis.external.url": fmt.Sprintf(`"redis://cache.%s.svc:6379/0"`, s.Kubectl.Namespace),
			"worker.parallelism": "1",
			"monitor.enabled":    "false",
			"extraObjects":       more,
		}
	}
	s.install([]string{fruits}, named("first", "[]"))
	s.done()
	s.upgrade(named("second", "[]"))
	s.done()
	// It fails after the seeding: hooks come before other objects.
	const refused = `[{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "no name"}}]`
	if err := s.deliver("upgrade", []string{fruits}, named("third", refused)); err == nil {
		t.Error("Kubernetes takes a ConfigMap with a space in its name")
	}
	if _, err := s.helm("rollback", kube.Release); err != nil {
		t.Fatalf("helm rollback: %v", err)
	}
	s.done()
	for _, queue := range []string{"first", "second", "third"} {
		if s.serverRuns("cache-0", "cli", "exists", "{"+queue+"}:state") != "1" {
			t.Errorf("the queue %s was not there before the uninstall", queue)
		}
	}

	s.uninstall()
	if keys := s.serverRuns("cache-0", "cli", "keys", "*"); keys != "others" {
		t.Errorf("after the uninstall Redis has the keys %q, want others", keys)
	}
}
