package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/workqueue/workqueue/test/kube"
)

const scheduleExample = root + "/values-examples/schedule.yaml"

// fire starts a run of the schedule now, as a person does.
func (s *space) fire(job string) {
	s.Helper()
	s.Must("create", "job", "--from=cronjob/"+kube.Release, job)
}

// ended waits until a run of the schedule has ended, and returns how.
func (s *space) ended(job string) (end batchv1.JobCondition) {
	s.Helper()
	eventually(s.T, "the Job "+job+" ends", func() bool {
		found, err := s.Client.BatchV1().Jobs(s.Kubectl.Namespace).Get(s.Context(), job, metav1.GetOptions{})
		if err != nil {
			s.Fatal(err)
		}
		condition := kube.End(found)
		if condition != nil {
			end = *condition
		}
		return condition != nil
	}, s.runs)
	return end
}

func (s *space) podsOf(job string) []corev1.Pod {
	s.Helper()
	return s.listPods("batch.kubernetes.io/job-name=" + job)
}

// logsOf are those of one container in all pods of a run, as far as they have started.
func (s *space) logsOf(job, container string) string {
	s.Helper()
	out, _ := s.Try("logs", "--tail=-1", "--ignore-errors", "-c", container, "-l", "batch.kubernetes.io/job-name="+job)
	return out
}

// runs are those that the monitor lists, as soon as it runs.
func (s *space) runs() string {
	out, _ := s.Try("exec", "deploy/"+kube.Release+"-monitor", "--", "worker", "runs")
	return out
}

// listing are values with which a program lists so many items, and each pod that runs it says so.
func listing(t *testing.T, items int) map[string]string {
	single := images(t, scheduleExample)
	maps.Copy(single, map[string]string{
		"itemsFrom.command":  fmt.Sprintf(`["sh", "-c", "echo listed by $HOSTNAME >&2; sleep 3; seq %d"]`, items),
		"worker.command":     `["sh", "-c", "echo old $0; sleep 0.5"]`,
		"worker.parallelism": "2",
		"worker.lease":       `"5s"`,
	})
	return single
}

// TestSchedule starts runs of a schedule: each is a run of its own, whose list is made once though several pods could. An upgrade leaves
// a run that goes on alone, and helm test is about the latest. This is with Helm 3, and TestScheduleWrongList upgrades with Helm 4.
func TestSchedule(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "schedule")
	s.major = "helm3"
	single := listing(t, 20)
	s.install([]string{scheduleExample}, single)

	s.fire("first")
	if end := s.ended("first"); end.Type != batchv1.JobComplete {
		t.Fatalf("the first run is %s: %s %s", end.Type, end.Reason, end.Message)
	}
	report, err := s.verify()
	if err != nil {
		t.Errorf("helm test: %v", err)
	}
	kube.WantText(t, report, "run:first:", "done       20", "OK: all 20 items are done")

	// An upgrade in the middle of a run, with other items too.
	single["itemsFrom.command"] = strings.Replace(single["itemsFrom.command"], "seq 20", "seq 60", 1)
	if err := s.deliver("upgrade", []string{scheduleExample}, single); err != nil {
		t.Fatalf("helm upgrade: %v", err)
	}
	s.fire("second")
	eventually(t, "the second run is on its way", func() bool { return strings.Contains(s.logsOf("second", "worker"), "old 1\n") }, s.runs)
	single["itemsFrom.command"], single["items"] = "[]", `["the only one"]`
	single["worker.command"] = `["sh", "-c", "echo new $0"]`
	if err := s.deliver("upgrade", []string{scheduleExample}, single); err != nil {
		t.Fatalf("helm upgrade: %v", err)
	}
	if end := s.ended("second"); end.Type != batchv1.JobComplete {
		t.Errorf("the second run is %s: %s %s", end.Type, end.Reason, end.Message)
	}
	if logs := s.logsOf("second", "worker"); strings.Count(logs, "old ") != 60 || strings.Contains(logs, "new ") {
		t.Errorf("the second run was changed by the upgrade:\n%s", logs)
	}
	report, err = s.verify()
	if err != nil {
		t.Errorf("helm test: %v", err)
	}
	kube.WantText(t, report, "run:second:", "OK: all 60 items are done")
	for _, job := range []string{"first", "second"} {
		if logs := s.logsOf(job, "seed"); strings.Count(logs, "listed by ") != 1 || len(s.podsOf(job)) != 2 {
			t.Errorf("the list of the %s run, with %d pods, was not made once:\n%s", job, len(s.podsOf(job)), logs)
		}
	}

	// Another Job of the same name is another run.
	s.Must("delete", "job", "first")
	s.fire("first")
	if end := s.ended("first"); end.Type != batchv1.JobComplete {
		t.Errorf("the third run is %s: %s %s", end.Type, end.Reason, end.Message)
	}
	kube.WantText(t, s.logsOf("first", "worker"), "new the only one")
	runs := regexp.MustCompile(`(?m)^(run:\w+):[0-9a-f]{5} +(\w+) +(\d+) `).FindAllStringSubmatch(s.verb("runs"), -1)
	if got := fmt.Sprint(runs); len(runs) != 3 || runs[0][1] != "run:first" || runs[0][3] != "1" || runs[1][1] != "run:second" || runs[2][3] != "20" {
		t.Errorf("the runs are %s", got)
	}

	// Without the schedule there is one run, at once, and the former ones are still known.
	single["schedule"], single["items"] = `""`, `["the last one"]`
	if err := s.deliver("upgrade", []string{scheduleExample}, single); err != nil {
		t.Fatalf("helm upgrade: %v", err)
	}
	eventually(t, "the schedule's Jobs are gone", func() bool { return !strings.Contains(s.Must("get", "cronjob,job", "-o", "name"), "/first") },
		func() string { return s.Must("get", "cronjob,job") })
	s.complete("seeded     1", "done       1")
	kube.WantText(t, s.verb("runs"), "run:second:", "run:first:")
	s.uninstall()
}

// TestScheduleFires lets the CronJob itself start a run, and removes the release in the middle of the run.
func TestScheduleFires(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "schedule-fires")
	single := listing(t, 1000)
	single["schedule"], single["redis.acl.enabled"], single["worker.parallelism"] = `"* * * * *"`, "true", "1"
	s.install([]string{scheduleExample}, single)
	eventually(t, "the schedule has started a run", func() bool {
		pods := s.listPods("app.kubernetes.io/component=worker") // before the costly question
		return len(pods) > 0 && strings.Contains(s.runs(), "running")
	}, s.runs)
	s.uninstall()
}

// TestScheduleSeedKilled kills the pod that makes the list: another one takes over, and the run goes on.
func TestScheduleSeedKilled(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "schedule-killed")
	single := listing(t, 5)
	single["itemsFrom.command"] = `["sh", "-c", "echo listed by $HOSTNAME >&2; until [ -e /tmp/go ]; do sleep 0.2; done; seq 5"]`
	s.install([]string{scheduleExample}, single)
	s.fire("now")
	lister := func(other string) string {
		t.Helper()
		return s.printed("listed by ", "seed", other, func() []corev1.Pod { return s.podsOf("now") })
	}
	victim := lister("")
	eventually(t, "the run is seen", func() bool { return strings.Contains(s.runs(), "seeding") }, s.runs)
	s.Must("delete", "pod", victim, "--force", "--grace-period=0")
	s.Must("exec", lister(victim), "-c", "seed", "--", "touch", "/tmp/go")
	if end := s.ended("now"); end.Type != batchv1.JobComplete {
		t.Errorf("the run is %s: %s %s", end.Type, end.Reason, end.Message)
	}
	report, err := s.verify()
	if err != nil {
		t.Errorf("helm test: %v", err)
	}
	kube.WantText(t, report, "OK: all 5 items are done")
}

// TestScheduleWrongList: a list that is wrong fails the Job at once, and helm test and the list of runs show it. A run whose items are
// dead can be repaired by a Job that goes on with its queue.
func TestScheduleWrongList(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "schedule-wrong")
	single := listing(t, 5)
	good := single["itemsFrom.command"]
	single["itemsFrom.format"], single["itemsFrom.command"] = `"jsonl"`, `["echo", "no JSON"]`
	single["test.timeout"], single["worker.maxAttempts"], single["worker.parallelism"] = `"5s"`, "1", "1"
	single["worker.command"] = `["sh", "-c", "[ -n \"$REPAIR\" ] || exit 9"]`
	s.install([]string{scheduleExample}, single)
	s.fire("wrong")
	if end := s.ended("wrong"); end.Type != batchv1.JobFailed || end.Reason != batchv1.JobReasonPodFailurePolicy {
		t.Errorf("the run is %s: %s %s", end.Type, end.Reason, end.Message)
	}
	report, err := s.verify()
	if err == nil {
		t.Error("helm test passed though the latest run has no items")
	}
	kube.WantText(t, report, "run:wrong:", "attempt", "WQ_ITEMS_COMMAND: echo: line 1")
	kube.WantText(t, s.verb("runs"), "seeding")

	single["itemsFrom.format"], single["itemsFrom.command"] = `"lines"`, good
	if err := s.deliver("upgrade", []string{scheduleExample}, single); err != nil {
		t.Fatalf("helm upgrade: %v", err)
	}
	s.fire("broken")
	if end := s.ended("broken"); end.Type != batchv1.JobFailed {
		t.Errorf("the run with dead items is %s: %s %s", end.Type, end.Reason, end.Message)
	}
	queue := strings.Fields(s.verb("runs"))[7]
	kube.WantText(t, queue, "run:broken:")
	s.verb("retry")
	job, err := s.Pipe(s.Must("create", "job", "--from=cronjob/run", "repair", "--dry-run=client", "-o", "yaml"),
		"set", "env", "--local", "-f", "-", "-o", "yaml", "REPAIR=yes", "WQ_QUEUE="+queue)
	if err != nil {
		t.Fatal(err)
	}
	s.Apply(job)
	if end := s.ended("repair"); end.Type != batchv1.JobComplete {
		t.Errorf("the repair is %s: %s %s", end.Type, end.Reason, end.Message)
	}
	if report, err = s.verify(); err != nil {
		t.Errorf("helm test: %v", err)
	}
	kube.WantText(t, report, queue, "OK: all 5 items are done")
	s.uninstall()
}
