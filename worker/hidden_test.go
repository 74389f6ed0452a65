package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/worker/redistest"
)

// TestPasswordIsHidden lets an item look for Redis's password in every process of its container: in its own environment, in
// the worker's, and in process 1's, which run as the same user.
func TestPasswordIsHidden(t *testing.T) {
	t.Parallel()
	container := containerUser(t)
	server := redistest.Start(t, "--requirepass", "s3cret")
	path := realWorker(t)
	run := func(command ...string) string {
		t.Helper()
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "WQ_REDIS_URL=redis://"+server.Addr, "WQ_REDIS_PASSWORD=s3cret", "WQ_QUEUE=job2", `WQ_ITEMS_COMMAND=["echo","x"]`,
			`WQ_COMMAND=["sh", "-c", "ls -d /proc/[0-9]* | wc -l; cat /proc/[0-9]*/environ 2>&1 | tr '\\0' '\\n' | grep -e ^WQ_REDIS -e [d]enied", "sh"]`)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
		return string(out)
	}
	run(path, "seed")
	out := run(append(container, path, "work")...)
	if strings.Contains(out, "WQ_REDIS") || strings.Count(out, "denied") != 2 {
		t.Errorf("want two processes that may not be looked into, and no password; got\n%s", out)
	}
}

// TestPasswordIsHiddenFromTheStart lets a process of the same user look for Redis's password while verbs start, again and again, as by
// kubectl exec: before a verb can hide itself, only the mode of the installed program does.
func TestPasswordIsHiddenFromTheStart(t *testing.T) {
	t.Parallel()
	container := containerUser(t)
	path, dir := realWorker(t), t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	const script = `
		"$1" install "$2" || exit 1
		(while ! test -e "$2/stop"; do cat /proc/[0-9]*/environ 2>/dev/null; done) | tr '\\0' '\\n' | grep -c ^WQ_REDIS_PASSWORD= &
		for i in $(seq 50); do env WQ_REDIS_PASSWORD=s3cret WQ_QUEUE=job2 WQ_REDIS_URL=redis://127.0.0.1:1 WQ_REDIS_UNREACHABLE_TIMEOUT=0s "$2/worker" seal 2>/dev/null; done
		touch "$2/stop"
		wait`
	out, err := exec.Command(container[0], append(container[1:], "sh", "-c", strings.ReplaceAll(script, `\\`, `\`), "sh", path, dir)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "0" {
		t.Errorf("the password was read %s times while 50 verbs started", got)
	}
}

// containerUser returns a command that runs another as the user of the image, in a PID namespace of its own. It takes root.
func containerUser(t *testing.T) []string {
	t.Helper()
	container := []string{"unshare", "--pid", "--fork", "--mount-proc", "setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"}
	if out, err := exec.Command(container[0], append(container[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("another user in a new PID namespace takes root: %v %s", err, out)
	}
	return container
}
