package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/workqueue/workqueue/test/kube"
)

// TestFruits is the promise in its simplest form, with each major of Helm: install, all done, verified, all gone.
func TestFruits(t *testing.T) {
	eachHelm(t, func(t *testing.T, major string) {
		s := newSpace(t, "fruits-"+major)
		s.major = major
		start := time.Now()
		s.install([]string{fruits}, nil)
		installed := time.Since(start)
		s.complete("seeded     9", "done       9", "dead       0", "OK: all 9 items are done")
		t.Logf("helm install returned after %v, all was verified after %v", installed.Round(time.Millisecond),
			time.Since(start).Round(time.Millisecond))
		logs := s.logs()
		kube.WantText(t, logs, "session=run-", "initial queue state", "Working on apple", "Working on orange")
		if n := strings.Count(logs, "Working on "); n != 9 {
			t.Errorf("%d items were worked on, in place of 9:\n%s", n, logs)
		}
		s.uninstall()
	})
}

// TestWorkerKilled kills a worker with SIGKILL in the middle of an item: nothing is lost. The workers may do in Redis what they
// have to, and nothing else.
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "killed")
	s.install([]string{fruits}, map[string]string{
		"worker.image":      program(t),
		"worker.command":    `["sh", "-c", "echo begin $0; until [ $0 != apple -o -e /tmp/go ]; do sleep 0.2; done; echo end $0"]`,
		"worker.lease":      `"5s"`,
		"redis.acl.enabled": "true",
		"monitor.enabled":   "false",
	})
	victim := s.printed("begin apple", "worker", "", s.workers)
	// Everything in the container but its first process, which starts the worker again.
	_, _ = s.exec(victim, "sh", "-c", "kill -9 -1")
	begun := func() (times int) {
		for _, pod := range s.workers() {
			times += strings.Count(s.Logs(pod.Name, "worker"), "begin apple")
		}
		return times
	}
	eventually(t, "apple begins again", func() bool { return begun() == 2 }, func() string { return fmt.Sprintf("it began %d times", begun()) })
	kube.WantText(t, s.Logs(victim, "worker"), "the worker was killed by signal 9 (killed); it starts again in 1s")
	for _, pod := range s.workers() { // either may have it
		_, _ = s.exec(pod.Name, "touch", "/tmp/go")
	}
	s.complete("done            9", "leases expired  1", "OK: all 9 items are done")
	if failed := s.job().Status.Failed; failed != 0 {
		t.Errorf("%d pods have failed, though the worker starts again in its own", failed)
	}
}

// TestDeadItem has a command that always fails for one fruit: the others are done, and everything reports which one is not. Each verb
// for people runs in the monitor, during the run and after it, with a Redis user that may do no more than it needs. Then the cause is mended
// outside of the release, the item is put back, and the Job starts again.
func TestDeadItem(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "dead")
	sour := map[string]string{
		"queue.seal":             "false",
		"redis.acl.enabled":      "true",
		"worker.image":           program(t),
		"worker.command":         `["sh", "-c", "[ $0 != $sour ] || { echo sour grape; exit 3; }; echo sweet $0"]`,
		"worker.extraEnvFrom":    `[{"configMapRef": {"name": "taste"}}]`,
		"worker.record":          `"results"`,
		"worker.backoff.initial": `"100ms"`,
	}
	s.Must("create", "configmap", "taste", "--from-literal=sour=grape")
	s.install([]string{fruits}, sour, "--wait")
	kube.WantText(t, s.verb("pause"), "the queue is paused")
	pushed := s.follow("The queue is open", "kiwi\nlime\n")
	kube.WantText(t, pushed, "2 items were added to the queue", "the queue is sealed, with 11 items")
	if job := s.job(); kube.End(&job) != nil {
		t.Errorf("the worker Job has ended though the queue is paused: %+v", job.Status)
	}
	kube.WantText(t, s.verb("resume"), "the queue goes on")
	kube.WantText(t, s.follow("Ask during the run and after it", ""), "10 of 11 done, 1 dead")

	report, err := s.verify()
	if err == nil {
		t.Errorf("helm test passed though an item is dead")
	}
	kube.WantText(t, report, "done       10", "dead       1", "grape (item ", "exit code 3 after 3 attempts", "| sour grape",
		"FAILED: 1 of 11 items is dead")
	if end := s.waitForJob(); end.Type != batchv1.JobFailed || end.Reason != "PodFailurePolicy" {
		t.Errorf("the worker Job is %s (%s), not Failed by its podFailurePolicy", end.Type, end.Reason)
	}
	kube.WantText(t, s.lastWords(65), "1 dead item, 0 allowed")

	kube.WantText(t, s.verb("runs"), s.queue())
	kube.WantText(t, s.verb("results", "kiwi"), `"item":"kiwi"`, "sweet kiwi")
	kube.WantText(t, s.verb("WQ_FORMAT=csv", "results"), "id,item,", "1,apple,")
	kube.WantText(t, s.verb("dead"), `"item":"grape"`, `"exit_code":3`, "sour grape")
	kube.WantText(t, s.verb("retry", "^grape$"), "1 dead item is back in the queue", "start workers again", `worker.again=$(date +%s)`)

	s.Must("delete", "configmap", "taste")
	s.Must("create", "configmap", "taste", "--from-literal=sour=none")
	s.upgrade(sour)
	notes, err := s.helm("get", "notes", s.release)
	if err != nil {
		t.Errorf("helm get notes: %v", err)
	}
	kube.WantText(t, notes, "has failed (PodFailurePolicy), and the same values do not start it again", `worker.again=$(date +%s)`)
	sour["worker.again"] = "2"
	s.upgrade(sour)
	s.complete("dead       0", "OK: all 11 items are done")
	kube.WantText(t, s.logs(), "sweet grape")
	s.Must("delete", "configmap", "taste")
	kube.WantText(t, s.verb("purge", s.queue()), "is deleted")
	s.uninstall()
}

// TestBrokenCommand: a command that cannot be started fails the Job within seconds, and helm test says why, long before its own timeout.
func TestBrokenCommand(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "broken")
	s.install([]string{fruits}, map[string]string{"worker.image": program(t), "worker.command": `["nonesuch", "{}"]`, "worker.parallelism": "1", "monitor.enabled": "false"})
	report, err := s.verify()
	if err == nil {
		t.Error("helm test passed though no item was run")
	}
	kube.WantText(t, report, "FAILED: no item can be run: cannot run nonesuch: ", "9 items are left")
	s.uninstall()
}

// TestTutorial keeps what people know from the Kubernetes documentation: a list job2 in a Redis of that name, filled
// with rpush, read with lrange. A Redis of that name that somebody has already is left alone.
func TestTutorial(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "tutorial")
	job2 := map[string]string{
		"queue.name":         `"job2"`,
		"redis.serviceName":  `"redis"`,
		"worker.image":       program(t),
		"worker.command":     `["echo", "got"]`,
		"worker.parallelism": "0", // until the list has been read
		"monitor.enabled":    "false",
	}
	s.Must("create", "service", "clusterip", "redis", "--tcp=6379")
	wantRefusal(t, s.deliver("install", []string{fruits}, job2), "redis.serviceName: the namespace has a Service")
	s.Must("delete", "service", "redis")
	s.install([]string{fruits}, job2)
	cli := func(args ...string) string {
		out, err := s.exec("run-redis-0", append([]string{"redis-cli", "-h", "redis"}, args...)...)
		if err != nil {
			t.Fatalf("redis-cli %v: %v\n%s", args, err, out)
		}
		return out
	}
	cli("rpush", "job2", "kiwi", "two words")
	kube.WantText(t, cli("lrange", "job2", "0", "-1"), "orange\nkiwi\ntwo words")
	job2["worker.parallelism"] = "1"
	s.upgrade(job2)
	s.complete("seeded     9", "pushed     2", "OK: all 11 items are done")
	kube.WantText(t, s.logs(), "got kiwi", "got two words")
}

// lastWords returns the termination message of the worker that ended with an exit code.
func (s *space) lastWords(code int32) string {
	s.Helper()
	for _, pod := range s.workers() {
		for _, status := range pod.Status.ContainerStatuses {
			if ended := status.State.Terminated; ended != nil && ended.ExitCode == code {
				return ended.Message
			}
		}
	}
	s.Errorf("no worker ended with %d", code)
	return ""
}

// follow pastes the commands that the notes of the release have under a heading into a shell, in a folder with a file items.txt. It
// returns what they print.
func (s *space) follow(heading, items string) string {
	s.Helper()
	notes, err := s.helm("get", "notes", kube.Release)
	if err != nil {
		s.Fatalf("helm get notes: %v", err)
	}
	_, section, found := strings.Cut(notes, heading)
	if !found {
		s.Fatalf("no %q in the notes:\n%s", heading, notes)
	}
	var commands []string
	for line := range strings.Lines(section) {
		command, indented := strings.CutPrefix(line, "    ")
		if indented {
			commands = append(commands, command)
		} else if len(commands) > 0 && strings.TrimSpace(line) != "" {
			break // the next heading
		}
	}
	shell := exec.CommandContext(s.Context(), "sh", "-ec", strings.Join(commands, ""))
	shell.Dir = s.TempDir()
	if err := os.WriteFile(filepath.Join(shell.Dir, "items.txt"), []byte(items), 0o600); err != nil {
		s.Fatal(err)
	}
	out, err := shell.CombinedOutput()
	if err != nil {
		s.Fatalf("the notes say\n%s\nand that: %v\n%s", strings.Join(commands, ""), err, out)
	}
	return string(out)
}
