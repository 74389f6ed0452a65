package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// redisKind is a section of docs/redis.md, and the Redis that it speaks of.
type redisKind struct {
	name, heading string
	server        map[string]string // values of test/charts/redis
	pods          int
	failover      bool
}

var redisKinds = []redisKind{
	{"tls", "## One server, with TLS", map[string]string{"kind": `"single"`, "tls": `"mutual"`}, 1, false},
	{"user", "## A user for it alone", map[string]string{"kind": `"single"`}, 1, false},
	{"sentinels", "## Sentinels", map[string]string{"kind": `"sentinel"`, "sentinelPassword": `"watch this"`}, 3, true},
	{"cluster", "## A Cluster", map[string]string{"kind": `"cluster"`, "tls": `"server"`}, 6, true},
}

// TestRedis runs lists with the values of docs/redis.md, as they stand there, on the cluster's own Redis and on the images that WQ_TEST_SERVERS names.
// Where there is a replica, the pod that holds the queue is deleted in the middle of the run: every item is done nevertheless.
func TestRedis(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(root + "/docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, image := range append([]string{""}, strings.Fields(os.Getenv("WQ_TEST_SERVERS"))...) {
		server := "workqueue-redis"
		if image != "" {
			server = strings.NewReplacer(":", "-", ".", "-").Replace(filepath.Base(image))
			t.Run(server+"/own", func(t *testing.T) { t.Parallel(); ownRedis(t, server, image) })
		}
		for _, kind := range redisKinds {
			t.Run(server+"/"+kind.name, func(t *testing.T) { t.Parallel(); kind.run(t, server, image, page) })
		}
	}
}

// ownRedis is the chart's own Redis, of another image.
func ownRedis(t *testing.T, server, image string) {
	s := newSpace(t, server)
	repository, tag, _ := strings.Cut(image, ":")
	s.install([]string{fruits}, map[string]string{
		"redis.image":       fmt.Sprintf(`{"repository": %q, "tag": %q}`, repository, tag),
		"redis.acl.enabled": "true",
	})
	s.complete("OK: all 9 items are done")
	s.uninstall()
}

func (kind redisKind) run(t *testing.T, server, image, page string) {
	const items = 120
	s := newSpace(t, server+"-"+kind.name)
	if image == "" {
		image = redisImage(s)
	}
	part := section(t, page, kind.heading)
	here := strings.NewReplacer("databases", s.Kubectl.Namespace, "jobs", s.Kubectl.Namespace, "PASSWORD", "open-sesame")
	single := maps.Clone(kind.server)
	single["password"] = `"open-sesame"`
	if _, user, found := strings.Cut(part, "ACL SETUSER "); found {
		user, _, _ = strings.Cut(user, "\n")
		single["users"] = fmt.Sprintf("[%q]", here.Replace(user))
	}
	s.server("redis", image, single)
	s.keep()

	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, []byte(here.Replace(fenced(t, part, "```yaml\n"))), 0o600); err != nil {
		t.Fatal(err)
	}
	s.install([]string{values}, map[string]string{
		"itemsFrom.range":    fmt.Sprintf(`{"start": 1, "end": %d}`, items),
		"worker.image":       program(t),
		"worker.command":     `["sh", "-c", "sleep 0.3; echo did $0"]`,
		"worker.concurrency": "4",
		"worker.lease":       `"10s"`,
	})
	if kind.failover {
		s.failOver(kind, items)
	}
	s.complete(fmt.Sprintf("OK: all %d items are done", items))
	did := slices.Compact(slices.Sorted(slices.Values(didLines.FindAllString(s.logs(), -1))))
	if len(did) != items {
		t.Errorf("%d of %d items were run", len(did), items)
	}
	s.uninstall()
	for _, pod := range kind.podNames() {
		keys := func() string { return s.serverRuns(pod, "cli", "dbsize") }
		eventually(t, "the uninstall has purged "+pod, func() bool { return keys() == "0" }, func() string { return keys() + " keys are left" })
	}
}

var didLines = regexp.MustCompile(`(?m)^did \d+$`)

func (kind redisKind) podNames() (names []string) {
	for number := range kind.pods {
		names = append(names, fmt.Sprintf("redis-%d", number))
	}
	return names
}

// failOver deletes the pod that holds the queue, in the middle of the run, and waits until another holds it.
func (s *space) failOver(kind redisKind, items int) {
	s.Helper()
	queue := s.queue()
	done := func() int { return len(didLines.FindAllString(s.logs(), -1)) }
	eventually(s.T, "some items are done", func() bool { return done() >= items/10 }, s.logs)
	holder := s.serverRuns("redis-0", "holder", queue)
	pods := kind.podNames()
	if !slices.Contains(pods, holder) {
		s.Fatalf("%q holds the queue %s", holder, queue)
	}
	other := pods[0]
	if other == holder {
		other = pods[1]
	}
	s.Must("delete", "pod", holder, "--force", "--grace-period=0")
	now := holder
	eventually(s.T, "another pod holds the queue", func() bool {
		now = s.serverRuns(other, "holder", queue)
		return now != holder && slices.Contains(pods, now)
	}, func() string { return holder + " still does" })
	// Whatever kubectl took: the run was not over yet when the pod went.
	eventually(s.T, "a worker misses Redis", func() bool { return strings.Contains(s.logs(), "redis cannot be used, trying again") }, s.logs)
	s.Logf("%s took over from %s", now, holder)
}
