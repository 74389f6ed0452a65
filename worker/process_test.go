package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/redistest"
)

// realWorker returns the program as it is shipped: the test's own is larger, and may be slowed by the race detector. It is built once,
// where every user can run it.
func realWorker(t *testing.T) string {
	t.Helper()
	path, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildOnce = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "worker")
	if err := os.Chmod(buildDir, 0o755); err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

var highWater = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// watchMemory looks at a process until it ends, and then sends the most memory that it has had, in MiB; 0 if it could not look.
func watchMemory(pid int) <-chan int {
	peaks := make(chan int, 1)
	go func() {
		peak := 0
		for ; ; time.Sleep(time.Millisecond) {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			found := highWater.FindSubmatch(status)
			if err != nil || found == nil {
				peaks <- peak
				return
			}
			kilobytes, _ := strconv.Atoi(string(found[1]))
			peak = kilobytes >> 10
		}
	}()
	return peaks
}

// pidNamespace returns a command that runs another as process 1 of a PID namespace.
func pidNamespace(t *testing.T) []string {
	t.Helper()
	command := []string{"unshare", "--pid", "--fork", "--mount-proc"}
	if os.Getuid() != 0 {
		command = append(command, "--user", "--map-root-user")
	}
	if out, err := exec.Command(command[0], append(command[1:], "true")...).CombinedOutput(); err != nil {
		t.Fatalf("a PID namespace takes root, or leave to make user namespaces: %v %s", err, out)
	}
	return command
}

// TestProcess runs the real program, and looks at it from outside.
func TestProcess(t *testing.T) {
	t.Parallel()
	path := realWorker(t)
	server := redistest.Start(t)
	run := func(t *testing.T, command []string, queue string, env ...string) (peak int, out string) {
		t.Helper()
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = append(os.Environ(), append(env, "WQ_REDIS_URL="+server.URL(), "WQ_QUEUE="+queue)...)
		var stdout, log strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		peaks := watchMemory(cmd.Process.Pid)
		err := cmd.Wait()
		peak = <-peaks
		if err != nil {
			t.Fatalf("%v: %v\n%s%s", command, err, stdout.String(), log.String())
		}
		if peak == 0 { // over too soon to be looked at; this one begins with the memory of the process that has started it
			peak = int(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10)
		}
		return peak, stdout.String()
	}

	t.Run("size", func(t *testing.T) {
		if info, err := os.Stat(path); err != nil || info.Size() > 12<<20 {
			t.Errorf("%d bytes, %v", info.Size(), err)
		}
	})

	// Whatever items and commands do, a worker is a small thing beside them.
	t.Run("memory", func(t *testing.T) {
		one := `WQ_ITEMS_COMMAND=["echo","x"]`
		large := `WQ_ITEMS_COMMAND=["sh","-c","for i in $(seq 12); do head -c 1M /dev/zero | tr '\\0' x; echo; done"]`
		echo := `WQ_COMMAND=["sh","-c","exec sed -u 's/\"attempt\":1,\"item\"/\"status\":\"done\",\"result\"/' >&3"]`
		for name, env := range map[string][]string{
			"flood":         {one, `WQ_COMMAND=["sh","-c","head -c 1G /dev/zero"]`},
			"flood, batch":  {one, "WQ_MODE=batch", `WQ_COMMAND=["sh","-c","head -c 500M /dev/zero; head -c 500M /dev/zero >&3"]`, "WQ_MAX_ATTEMPTS=1", "WQ_MAX_DEAD=1"},
			"flood, stream": {one, "WQ_MODE=stream", `WQ_COMMAND=["sh","-c","read -r l; head -c 1G /dev/zero; echo 1 done >&3"]`},
			"endless":       {one, "WQ_MODE=stream", `WQ_COMMAND=["sh","-c","read -r l; (printf {; head -c 1G /dev/zero) >&3"]`, "WQ_MAX_ATTEMPTS=1", "WQ_MAX_DEAD=1"},
			"lines":         {one, `WQ_COMMAND=["sh","-c","yes | head -c 10M"]`, "WQ_OUTPUT=json"},
			"large":         {large, `WQ_COMMAND=["wc","-c"]`, "WQ_CONCURRENCY=2", "WQ_INPUT=stdin"},
			"large, batch":  {large, `WQ_COMMAND=["wc","-c"]`, "WQ_MODE=batch"},
			"large, stream": {large, echo, "WQ_MODE=stream"},
			"stream":        {`WQ_ITEMS_COMMAND=["seq","5000"]`, "WQ_MODE=stream", echo},
			"many":          {`WQ_ITEMS_COMMAND=["seq","200000"]`, "WQ_PRINT_ITEMS=true"},
		} {
			env = append(env, "WQ_LOG_LEVEL=warn")
			seeded, _ := run(t, []string{path, "seed"}, name, env...)
			worked, _ := run(t, []string{"sh", "-c", `exec "$0" work >/dev/null`, path}, name, env...)
			t.Logf("%s: %d MiB to seed, %d MiB to work", name, seeded, worked)
			if seeded >= 40 || worked >= 40 { // less than 30 where the collector gets a processor when it wants one
				t.Errorf("%s: %d MiB to seed, %d MiB to work, want less than 40", name, seeded, worked)
			}
		}
	})

	// To seed items that are large takes a few of them, however many there are.
	t.Run("huge", func(t *testing.T) {
		const size, items = 16, 12 // MiB
		list := fmt.Sprintf(`WQ_ITEMS_COMMAND=["sh","-c","for i in $(seq %d); do head -c %dM /dev/zero | tr '\\0' x; echo; done"]`, items, size)
		peak, _ := run(t, []string{path, "seed"}, "huge", list)
		t.Logf("%d MiB to seed %d items of %d MiB", peak, items, size)
		if peak > 6*size {
			t.Errorf("%d MiB to seed %d items of %d MiB", peak, items, size)
		}
	})

	// As process 1 it reaps what commands leave behind, and still knows how they ended.
	t.Run("init", func(t *testing.T) {
		container := pidNamespace(t)
		command := `WQ_COMMAND=["sh","-c","(sleep 0.01 &); case $1 in bad) exit 3;; last) sleep 0.3; cat /proc/[0-9]*/stat | grep -c ') Z ';; esac; exit 0","sh"]`
		env := []string{`WQ_ITEMS_COMMAND=["sh","-c","seq 20; echo bad; echo last"]`, command, "WQ_MAX_DEAD=1", "WQ_MAX_ATTEMPTS=1"}
		run(t, []string{path, "seed"}, "init", env...)
		_, out := run(t, append(container, path, "work"), "init", env...)
		if strings.TrimSpace(out) != "0" {
			t.Errorf("zombies: %s", out)
		}
		if _, dead := run(t, []string{path, "dead"}, "init"); !strings.Contains(dead, `"exit_code":3`) {
			t.Errorf("dead letters: %s", dead)
		}
	})

	// A worker that is killed costs no container: process 1 ends what it has left behind and starts another.
	t.Run("restart", func(t *testing.T) {
		container := pidNamespace(t)
		dir := t.TempDir()
		command := fmt.Sprintf(`WQ_COMMAND=["sh","-c","cd %s; setsid sleep 1234 & if [ $1 = 3 ] && ! [ -e killed ]; then touch killed; kill -9 $PPID; sleep 1000; fi; [ $1 != 3 ] || ps -eo args >ps; :","sh"]`, dir)
		env := []string{`WQ_ITEMS_COMMAND=["seq","5"]`, command, "WQ_LEASE=1s", "WQ_LOG_LEVEL=warn"}
		run(t, []string{path, "seed"}, "restart", env...)
		began := time.Now()
		run(t, append(container, path, "work"), "restart", env...)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		seen, err := os.ReadFile(filepath.Join(dir, "ps"))
		if _, killed := os.Stat(filepath.Join(dir, "killed")); err != nil || killed != nil || strings.Contains(string(seen), "\nsleep 1000\n") {
			t.Errorf("%v %v, the processes after the restart:\n%s", err, killed, seen)
		}
		if _, out := run(t, []string{path, "verify"}, "restart"); !strings.Contains(out, "5") {
			t.Error(out)
		}
	})

	// What kubectl describe pod shows of it in the end, however it ended.
	t.Run("termination", func(t *testing.T) {
		if err := exec.Command("unshare", "--mount", "true").Run(); err != nil {
			t.Skip("a new mount namespace takes root:", err)
		}
		script := `
			mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && touch /dev/termination-log && cd /dev || exit
			"$0" seed
			"$0" work & worker=$!
			until test -e running; do sleep 0.1; done
			kill $worker; wait $worker; cat termination-log
			WQ_LEASE=$(head -c 10000 "$0" | tr -c a x) "$0" work; wc -c <termination-log; cat termination-log`
		_, out := run(t, []string{"unshare", "--mount", "sh", "-c", script, path}, "termination",
			`WQ_ITEMS_COMMAND=["seq","3"]`, `WQ_COMMAND=["sh","-c","[ $0 = 1 ] || { touch running; sleep 60; }"]`, "WQ_GRACE=100ms")
		want := "done 1, failed 0, dead 0, snoozed 0, returned 2: a signal told it to\n" +
			"4096\ndone 0, failed 0, dead 0, snoozed 0, returned 0: WQ_LEASE: \""
		if !strings.HasPrefix(out, want) {
			t.Errorf("got %.500s\nwant %s…", out, want)
		}
	})
}
