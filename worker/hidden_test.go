package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/worker/redistest"
)

// TestPasswordIsHidden lets an item look for Redis's password in every process of its container: in its own environment, in
// the worker's, and in process 1's, which run as the same user.
func TestPasswordIsHidden(t *testing.T) {
	container := []string{"unshare", "--pid", "--fork", "--mount-proc", "setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"}
	if out, err := exec.Command(container[0], append(container[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("another user in a new PID namespace takes root: %v %s", err, out)
	}
	server := redistest.Start(t, "--requirepass", "s3cret")
	path := realWorker(t)
	for dir := path; dir != "/tmp"; dir = dir[:strings.LastIndex(dir, "/")] {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
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
	out := run(append(container, path)...)
	if strings.Contains(out, "WQ_REDIS") || strings.Count(out, "denied") != 2 {
		t.Errorf("want two processes that may not be looked into, and no password; got\n%s", out)
	}
}
