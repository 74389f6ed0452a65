package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/redistest"
)

// promptly is less than main waits for a verb that does not end after a signal, and more than a busy machine takes.
const promptly = signalTimeout - 2*time.Second

// TestSignalEndsWhatHangs: a verb that cannot heed a signal, here because its output is not read, is ended all the same.
func TestSignalEndsWhatHangs(t *testing.T) {
	t.Parallel()
	const atMost = 30 * time.Second // three times what main waits
	worker, err := exec.LookPath("worker")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(worker, "WQ_DRY_RUN=true", `WQ_ITEMS_RANGE={"start": 1, "end": 9000000000000000000}`, "seed")
	cmd.Env = append(os.Environ(), "WQ_REDIS_URL=redis://127.0.0.1:1", "WQ_QUEUE=hangs")
	unread, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	cmd.Stdout = stdout
	room, err := unix.FcntlInt(stdout.Fd(), unix.F_GETPIPE_SZ, 0)
	if err := errors.Join(err, cmd.Start(), stdout.Close()); err != nil {
		t.Fatal(err)
	}
	redistest.Eventually(t, "the pipe is full", func() error {
		if n := process.Unread(unread); n < room {
			return fmt.Errorf("%d bytes of %d", n, room)
		}
		return nil
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(atMost, func() { _ = cmd.Process.Kill() }).Stop()
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != exitStopped {
		t.Errorf("%v after the signal: %v", atMost, cmd.ProcessState)
	}
}

// TestSignalsEndVerbs: verbs that wait for a list, or print a long one, end at INT and TERM, and say what they have done.
func TestSignalsEndVerbs(t *testing.T) {
	t.Parallel()
	worker, err := exec.LookPath("worker")
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.Start(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		// run starts a verb, and after ready sends it the signal.
		run := func(name, want string, args []string, ready func(t *testing.T, dir string, stdin io.Writer, stdout io.Reader)) {
			t.Run(fmt.Sprintf("%s, %v", name, signal), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				for _, fifo := range []string{"first", "second"} {
					if err := syscall.Mkfifo(filepath.Join(dir, fifo), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				cmd := exec.Command(worker, args...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "WQ_REDIS_URL="+server.URL(), "WQ_QUEUE="+strings.ReplaceAll(name, " ", "-")+"-"+signal.String())
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				stdin, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				defer stdin.Close()
				stdout, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				ready(t, dir, stdin, stdout)
				sent := time.Now()
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				go func() { _, _ = io.Copy(io.Discard, stdout) }()
				_ = cmd.Wait()
				if took := time.Since(sent); took > promptly || cmd.ProcessState.ExitCode() != exitStopped || !strings.Contains(stderr.String(), want) {
					t.Errorf("after %v: %v, %s", took, cmd.ProcessState, stderr.String())
				}
			})
		}
		write := func(t *testing.T, dir, text string) *os.File {
			fifo, err := os.OpenFile(filepath.Join(dir, "first"), os.O_WRONLY, 0) // returns when the worker has it open
			if err == nil {
				_, err = io.WriteString(fifo, text)
			}
			if err != nil {
				t.Fatal(err)
			}
			return fifo
		}
		reading := func(t *testing.T, dir string, _ io.Writer, _ io.Reader) {
			fifo := write(t, dir, "a\nhalf")
			t.Cleanup(func() { fifo.Close() })
		}
		opening := func(t *testing.T, dir string, _ io.Writer, _ io.Reader) { write(t, dir, "a\n").Close() }
		const stopped = "worker: stopped by a signal\n"
		run("seed reads a FIFO", stopped, []string{"WQ_ITEMS_PATHS=first", "seed"}, reading)
		run("seed opens a FIFO", stopped, []string{"WQ_ITEMS_PATHS=first,second", "seed"}, opening)
		run("dry seed reads a FIFO", stopped, []string{"WQ_DRY_RUN=true", "WQ_ITEMS_PATHS=first", "seed"}, reading)
		run("dry seed opens a FIFO", stopped, []string{"WQ_DRY_RUN=true", "WQ_ITEMS_PATHS=first,second", "seed"}, opening)
		run("dry seed of a range", stopped, []string{"WQ_DRY_RUN=true", `WQ_ITEMS_RANGE={"start": 1, "end": 9000000000000000000}`, "seed"},
			func(t *testing.T, _ string, _ io.Writer, stdout io.Reader) {
				if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			})
		run("push", "worker: stopped by a signal; 2 items were pushed, and none after them\n", []string{"push"},
			func(t *testing.T, _ string, stdin io.Writer, _ io.Reader) {
				_, _ = io.WriteString(stdin, "a\nb\nhalf")
				queue := "push-" + signal.String()
				deadline := time.Now().Add(time.Minute)
				for out := ""; strings.TrimSpace(out) != "2" && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
					raw, err := exec.Command("redis-cli", "-u", server.URL(), "llen", queue).Output()
					if err != nil {
						t.Fatal(err)
					}
					out = string(raw)
				}
			})
	}
}
