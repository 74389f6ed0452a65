package e2e

import (
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/test/kube"
)

// queue is the queue that the worker Job works on.
func (s *space) queue() string {
	s.Helper()
	for _, e := range s.job().Spec.Template.Spec.Containers[0].Env {
		if e.Name == "WQ_QUEUE" {
			return e.Value
		}
	}
	s.Fatal("the worker Job has no variable WQ_QUEUE")
	return ""
}

// waiting returns the number of items that no worker has leased yet.
func (s *space) waiting() string {
	out, _ := s.exec(kube.Release+"-redis-0", "redis-cli", "llen", s.queue())
	return strings.TrimSpace(out)
}

// redisPod is the identity of the pod that the queue is in.
func (s *space) redisPod() string {
	s.Helper()
	return string(s.getPod(kube.Release + "-redis-0").UID)
}

// password returns the password that the install generated for Redis.
func (s *space) password() string {
	s.Helper()
	return s.Must("get", "secret", kube.Release+"-redis", "-o", "jsonpath={.data.password}")
}

// TestUpgrade changes one thing after another in one release, with each major of Helm: first during a run, which goes on whatever
// happens to its Job, then from one run to the next.
func TestUpgrade(t *testing.T) {
	eachHelm(t, func(t *testing.T, major string) {
		s := newSpace(t, "upgrade-"+major)
		s.major = major
		// More than a slow machine can finish before the last step; that step then runs them in seconds.
		more := `{"start": 1, "end": 891}`
		slow := map[string]string{
			"itemsFrom.range":    more,
			"worker.image":       program(t),
			"worker.command":     `["sh", "-c", "echo slow $0; sleep 2"]`,
			"worker.parallelism": "1",
			"monitor.enabled":    "false",
		}
		s.install([]string{fruits}, slow)
		first, queue, redis, password := s.job(), s.queue(), s.redisPod(), s.password()
		s.works("slow apple")

		// Nothing changed, nothing done.
		s.upgrade(slow)
		if job := s.job(); job.UID != first.UID || job.Generation != first.Generation {
			t.Errorf("an upgrade to the same values changed the Job: %s, generation %d, then %s, generation %d",
				first.UID, first.Generation, job.UID, job.Generation)
		}

		// Other parallelism: the Job that runs is patched, though somebody has done so by hand before. Helm 4 refuses to
		// take the field over unless it is forced.
		s.Must("patch", "job", first.Name, "--type=merge", "-p", `{"spec": {"parallelism": 3}}`)
		slow["worker.parallelism"] = "2"
		force := []string{}
		if major == "helm4" {
			wantRefusal(t, s.deliver("upgrade", []string{fruits}, slow), "conflict")
			force = append(force, "--force-conflicts")
		}
		s.upgrade(slow, force...)
		if job := s.job(); job.UID != first.UID || *job.Spec.Parallelism != 2 {
			t.Errorf("the Job %s with parallelism %d is in the place of %s", job.UID, *job.Spec.Parallelism, first.UID)
		}

		// Another command: another Job, which goes on with the same queue.
		upgrade := func(change map[string]string) {
			t.Helper()
			single := map[string]string{"worker.image": program(t), "worker.parallelism": "1", "monitor.enabled": "false"}
			maps.Copy(single, change)
			s.upgrade(single)
		}
		upgrade(map[string]string{"itemsFrom.range": more, "worker.command": `["sh", "-c", "echo wrong $0; sleep 2"]`})
		if second := s.job(); second.Name == first.Name || s.queue() != queue {
			t.Errorf("the Job %s with the queue %s follows the Job %s with the queue %s", second.Name, s.queue(), first.Name, queue)
		}
		s.works("wrong ")
		waiting := s.waiting()

		// That was a mistake: back to the first Job, which finds the queue as it was left.
		if _, err := s.helm("rollback", kube.Release); err != nil {
			t.Fatalf("helm rollback: %v", err)
		}
		if job := s.job(); job.Name != first.Name || job.UID == first.UID || *job.Spec.Parallelism != 2 {
			t.Errorf("after the rollback there is the Job %s (%s, parallelism %d), the first was %s (%s, parallelism 2)",
				job.Name, job.UID, *job.Spec.Parallelism, first.Name, first.UID)
		}
		s.works("slow ")
		if logs := s.logs(); strings.Contains(logs, "slow apple") {
			t.Errorf("after the rollback the Job began from the beginning, with %s items waiting before:\n%s", waiting, logs)
		}

		upgrade(map[string]string{"itemsFrom.range": more, "worker.command": `["echo", "fast"]`})
		s.complete("seeded     900", "OK: all 900 items are done")
		logs := s.logs()
		kube.WantText(t, logs, "fast 891")
		if strings.Contains(logs, "fast apple") {
			t.Errorf("the last Job began from the beginning:\n%s", logs)
		}

		// On no volume Redis has to stay as it is, so an upgrade to other values is refused.
		open := map[string]string{"redis.generatePassword": "false"}
		wantRefusal(t, s.deliver("upgrade", []string{fruits}, open), "redis.password: it has changed")

		// Other items, and then the same again because of rerun: a new run each.
		run := map[string]string{"worker.command": `["echo", "new"]`, "items": `["kiwi", "lime"]`}
		for i, rerun := range []string{`""`, `"again"`} {
			before := s.queue()
			run["rerun"] = rerun
			upgrade(run)
			if s.queue() == before {
				t.Errorf("run %d: the queue is still %s", i, before)
			}
			s.works("new kiwi")
			s.works("new lime")
		}
		s.done()
		kube.WantText(t, s.logs(), "done=2 dead=0 of=2")
		if now := s.redisPod(); now != redis {
			t.Errorf("Redis is the pod %s in place of %s", now, redis)
		}
		if password == "" || s.password() != password {
			t.Error("the password of Redis is not the one that it was installed with")
		}
		if jobs := s.Must("get", "jobs", "-l", "app.kubernetes.io/component=seed", "-o", "name"); jobs != "" {
			t.Errorf("seeding Jobs are left: %s", jobs)
		}
		s.uninstall()
	})
}

// TestUninstallAfterAFailedUpgrade leaves nothing, though the last revision does not have the Job that runs.
func TestUninstallAfterAFailedUpgrade(t *testing.T) {
	eachHelm(t, func(t *testing.T, major string) {
		s := newSpace(t, "failed-"+major)
		s.major = major
		s.install([]string{fruits}, map[string]string{
			"worker.image":                         program(t),
			"worker.command":                       `["sh", "-c", "echo slow $0; sleep 600"]`,
			"worker.parallelism":                   "1",
			"worker.terminationGracePeriodSeconds": "10",
			"monitor.enabled":                      "false",
		})
		s.works("slow ")
		wantRefusal(t, s.deliver("upgrade", []string{fruits}, map[string]string{"itemsFrom.configMap.name": `"missing"`}, "--timeout", "10s"), "pre-upgrade hooks failed")
		s.uninstall()
	})
}

// TestUpgradeRepairsRedis takes objects of Redis away, one after the other; each time an upgrade with the same values brings them back. What counts at the
// install only is refused by name, before anything is touched.
func TestUpgradeRepairsRedis(t *testing.T) {
	eachHelm(t, func(t *testing.T, major string) {
		s := newSpace(t, "repair-"+major)
		s.major = major
		none := map[string]string{"monitor.enabled": "false"}
		s.install([]string{fruits}, none)
		s.done()
		redis := s.redisPod()
		for name, wrong := range map[string]map[string]string{
			"hooks.enabled: this release was installed with":     {"hooks.enabled": "false"},
			"fullnameOverride: this release was installed with":  {"fullnameOverride": `"other"`},
			"redis.serviceName: this release was installed with": {"redis.serviceName": `"other"`},
			"redis.external: this release was installed with":    {"redis.external.url": `"redis://other:6379/0"`},
			"redis.persistence: this release was installed with": {"redis.persistence.enabled": "true"},
			"redis.maxMemory: it has changed":                    {"redis.maxMemory": `"256mb"`},
		} {
			wantRefusal(t, s.deliver("upgrade", []string{fruits}, wrong), name)
		}
		if s.redisPod() != redis {
			t.Error("a refused upgrade replaced Redis")
		}
		s.Must("delete", "service", kube.Release+"-redis")
		s.upgrade(none)
		if s.redisPod() != redis {
			t.Error("Redis was replaced to bring its Service back")
		}
		s.Must("delete", "statefulset", kube.Release+"-redis")
		s.upgrade(none)
		s.getPod(kube.Release + "-redis-0")
		s.uninstall()
	})
}

// works waits until a worker of the Job prints a text.
func (s *space) works(text string) {
	s.Helper()
	eventually(s.T, "a worker prints "+strconv.Quote(text), func() bool {
		return strings.Contains(s.logs(), text)
	}, func() string { return s.waiting() + " items are waiting" })
}
