package e2e

import (
	"strings"
	"testing"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// upgrade upgrades the release to exactly these values.
func (s *space) upgrade(values map[string]string) {
	s.Helper()
	options := s.options([]string{fruits}, values)
	if err := helm.UpgradeContextE(s, s.Context(), options, chart, s.release); err != nil {
		s.Fatalf("helm upgrade: %v", err)
	}
}

// queue is the queue that the worker Job works on.
func (s *space) queue() string {
	s.Helper()
	for _, e := range s.job().Spec.Template.Spec.Containers[0].Env {
		if e.Name == "WQ_QUEUE" {
			return e.Value
		}
	}
	s.Fatal("the worker Job knows no queue")
	return ""
}

// waiting is how many items nobody has begun with.
func (s *space) waiting() string {
	out, _ := s.exec(s.release+"-redis-0", "redis-cli", "llen", s.queue())
	return strings.TrimSpace(out)
}

// redisPod is the identity of the pod that the queue is in.
func (s *space) redisPod() string {
	s.Helper()
	return string(k8s.GetPodContext(s, s.Context(), s.kubectl, s.release+"-redis-0").UID)
}

// TestUpgrade changes one thing after the other in one release, the first of them in the middle of a run.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "upgrade")
	slow := map[string]string{
		"worker.image":       program(t),
		"worker.command":     `["sh", "-c", "echo slow $0; sleep 4"]`,
		"worker.parallelism": "1",
	}
	s.install([]string{fruits}, slow)
	first, queue, redis := s.job(), s.queue(), s.redisPod()
	eventually(t, "the first item runs", func() bool {
		logs, _ := k8s.RunKubectlAndGetOutputContextE(t, t.Context(), s.kubectl, "logs", "-l", "app.kubernetes.io/component=worker")
		return strings.Contains(logs, "slow apple")
	}, s.waiting)

	// Nothing changed, nothing done.
	s.upgrade(slow)
	if job := s.job(); job.UID != first.UID || job.Generation != first.Generation {
		t.Errorf("an upgrade to the same values changed the Job: %s, generation %d, then %s, generation %d",
			first.UID, first.Generation, job.UID, job.Generation)
	}

	// Other parallelism: the Job that runs is patched.
	slow["worker.parallelism"] = "2"
	s.upgrade(slow)
	if job := s.job(); job.UID != first.UID || *job.Spec.Parallelism != 2 {
		t.Errorf("the Job %s with parallelism %d is in the place of %s", job.UID, *job.Spec.Parallelism, first.UID)
	}
	eventually(t, "there is a second worker", func() bool { return len(s.workers()) == 2 }, s.waiting)

	// Another command: another Job, which goes on with the same queue.
	s.upgrade(map[string]string{"worker.image": program(t), "worker.command": `["echo", "fast"]`})
	second := s.job()
	if second.Name == first.Name || s.queue() != queue {
		t.Errorf("the Job %s with the queue %s follows the Job %s with the queue %s", second.Name, s.queue(), first.Name, queue)
	}
	if end := s.waitForJob(); end.Type != batchv1.JobComplete {
		t.Fatalf("the worker Job is %s: %s %s", end.Type, end.Reason, end.Message)
	}
	report, err := s.verify()
	if err != nil {
		t.Fatalf("helm test: %v\n%s", err, report)
	}
	wantText(t, report, "seeded     9", "OK: all 9 items are done")
	logs := s.logs()
	wantText(t, logs, "fast orange")
	if strings.Contains(logs, "fast apple") {
		t.Errorf("the second Job began from the beginning:\n%s", logs)
	}

	// Other items, and then the same again because of rerun: a new run each.
	run := map[string]string{"worker.image": program(t), "worker.command": `["echo", "new"]`, "items": `["kiwi", "lime"]`}
	for i, rerun := range []string{`""`, `"again"`} {
		before := s.queue()
		run["rerun"] = rerun
		s.upgrade(run)
		if s.queue() == before {
			t.Errorf("run %d: the queue is still %s", i, before)
		}
		if end := s.waitForJob(); end.Type != batchv1.JobComplete {
			t.Fatalf("the worker Job is %s: %s %s", end.Type, end.Reason, end.Message)
		}
		if report, err = s.verify(); err != nil {
			t.Fatalf("helm test: %v\n%s", err, report)
		}
		wantText(t, report, "seeded     2", "OK: all 2 items are done")
		wantText(t, s.logs(), "new kiwi", "new lime")
	}
	if now := s.redisPod(); now != redis {
		t.Errorf("Redis is the pod %s in place of %s", now, redis)
	}
	if jobs := k8s.ListJobsContext(t, t.Context(), s.kubectl, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=seed"}); len(jobs) != 0 {
		t.Errorf("%d seeding Jobs are left", len(jobs))
	}
	s.uninstall()
}
