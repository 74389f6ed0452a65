package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// locked is a buffer for a log.
type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *locked) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.text.String() }

// script runs a shell script as an attempt, with DIR as a folder in which it leaves the IDs of processes, a file each.
func script(t *testing.T, dir, text string, change func(*Process)) (Ending, *locked) {
	t.Helper()
	log := &locked{}
	p := Process{Args: []string{"sh", "-c", text, "sh"}, Env: []string{"DIR=" + dir}, Stdout: io.Discard, Stderr: io.Discard,
		Log: slog.New(slog.NewTextHandler(log, nil)), KillAfter: 300 * time.Millisecond, Origin: Origin{Label: "x", ID: "1", Attempt: 1}}
	if change != nil {
		change(&p)
	}
	return p.Run(context.Background()), log
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("in vain: ", what)
		}
	}
}

// pids reads the IDs of processes from the files of a folder.
func pids(t *testing.T, dir string) (found []int) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "*.pid"))
	for _, file := range files {
		raw, _ := os.ReadFile(file)
		pid := 0
		if _, err := fmt.Sscan(string(raw), &pid); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

func living(t *testing.T, dir string) (n int) {
	for _, pid := range pids(t, dir) {
		if s, ok := readStat(pid); ok && !s.ended {
			n++
		}
	}
	return n
}

// Ways in which a program leaves a process behind that runs on. The scripts wait until it has written down its ID.
var leavings = map[string]string{
	"in the background":                   `sh -c 'echo $$ >$DIR/a.pid; exec sleep 100' >/dev/null 2>&1 &`,
	"with the pipe":                       `sh -c 'echo $$ >$DIR/a.pid; exec sleep 100' &`,
	"in its own session":                  `setsid sh -c 'echo $$ >$DIR/a.pid; exec sleep 100' >/dev/null 2>&1 &`,
	"by a double fork":                    `(setsid sh -c '(echo $$ >$DIR/b.pid; sh -c "echo \$\$ >$DIR/a.pid; exec sleep 100") & wait' >/dev/null 2>&1 &)`,
	"with timeout(1)":                     `timeout 100 sh -c 'echo $$ >$DIR/a.pid; sleep 100; :' >/dev/null 2>&1 &`,
	"without its variables":               `env -i DIR=$DIR PATH=$PATH setsid sh -c 'echo $$ >$DIR/a.pid; exec sleep 100' >/dev/null 2>&1 &`,
	"without its variables, in its group": `env -i DIR=$DIR PATH=$PATH sh -c 'echo $$ >$DIR/a.pid; exec sleep 100' >/dev/null 2>&1 &`,
	"that ignores TERM":                   `setsid sh -c 'trap "" TERM; echo $$ >$DIR/a.pid; while :; do sleep 0.1; done' >/dev/null 2>&1 &`,
}

const awaitPid = "\nuntil [ -s $DIR/a.pid ]; do sleep 0.01; done\n"

// TestLeftBehind ends what programs leave behind, however they ended themselves.
func TestLeftBehind(t *testing.T) {
	for name, leave := range leavings {
		for way, end := range map[string]string{"ends": "exit 0", "too late": "sleep 100", "in the foreground": ""} {
			t.Run(name+", "+way, func(t *testing.T) {
				if name != "without its variables" { // beside others it belongs to none until they have ended
					t.Parallel()
				}
				text := leave + awaitPid + end
				if way == "in the foreground" {
					if strings.Contains(leave, "double") || !strings.HasSuffix(leave, " &") {
						return
					}
					text = strings.TrimSuffix(leave, " &") + "; :"
				}
				dir := t.TempDir()
				began := time.Now()
				ending, log := script(t, dir, text, func(p *Process) {
					if way != "ends" {
						p.Timeout = 6 * time.Second // for a busy machine: the process has to start before that
					}
				})
				if took := time.Since(began); took > 40*time.Second {
					t.Errorf("it took %v", took)
				}
				if ending.TimedOut != (way != "ends") {
					t.Errorf("%+v", ending)
				}
				if len(pids(t, dir)) == 0 {
					t.Fatal("the process has not started")
				}
				if way != "ends" && living(t, dir) > 0 {
					t.Error("the process runs on after its attempt")
				}
				await(t, "end of the process", func() bool { return living(t, dir) == 0 })
				if way == "ends" {
					await(t, "log line", func() bool { return strings.Contains(log.String(), "left behind") })
				}
				if n := strings.Count(log.String(), "an attempt left behind"); n > 1 { // other tests' strays may be in this log too
					t.Errorf("%d log lines:\n%s", n, log.String())
				}
			})
		}
	}
}

// TestOthersAreLeftAlone ends an attempt beside another that has left its own processes everywhere and still runs.
func TestOthersAreLeftAlone(t *testing.T) {
	other := t.TempDir()
	var parts strings.Builder
	i := 0
	for _, leave := range leavings {
		i++
		parts.WriteString(strings.ReplaceAll(leave, "a.pid", fmt.Sprintf("p%d.pid", i)) + "\n")
	}
	// This one cannot be told from one that an earlier attempt has left behind, but for its age.
	parts.WriteString(`(env -i DIR=$DIR PATH=$PATH setsid sh -c 'echo $$ >$DIR/unknown.pid; exec sleep 100' >/dev/null 2>&1 &)` + "\n")
	all := i + 2 // the double fork has two
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p := Process{Args: []string{"sh", "-c", parts.String() + "sleep 100"}, Env: []string{"DIR=" + other}, Stdout: io.Discard, Stderr: io.Discard,
			KillAfter: 200 * time.Millisecond}
		p.Run(ctx)
	}()
	await(t, "start of the other processes", func() bool { return living(t, other) == all })
	for _, leave := range []string{leavings["in its own session"], leavings["without its variables, in its group"]} {
		dir := t.TempDir()
		script(t, dir, leave+awaitPid, nil)
		await(t, "end of the process", func() bool { return living(t, dir) == 0 })
	}
	// A process that has neither the group nor the variables, and does not end with its parent, is known from the look at it while its parent ran.
	dir := t.TempDir()
	cutOff, cut := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		p := Process{Args: []string{"sh", "-c", `env -i DIR=$DIR PATH=$PATH ` + leavings["that ignores TERM"] + "\nsleep 100"}, Env: []string{"DIR=" + dir},
			Stdout: io.Discard, Stderr: io.Discard, KillAfter: 200 * time.Millisecond}
		p.Run(cutOff)
	}()
	await(t, "start of the process", func() bool { return living(t, dir) == 1 })
	cut()
	<-gone
	if living(t, dir) > 0 {
		t.Error("a process that ignores TERM runs on after its attempt")
	}
	time.Sleep(1500 * time.Millisecond) // longer than it takes until the keeper looks by itself
	if n := living(t, other); n != all {
		t.Errorf("%d of %d processes of an attempt that runs are left", n, all)
	}
	stop()
	<-ended
	await(t, "end of all processes", func() bool { return living(t, other) == 0 })
}

// TestNeighboursAreLeftAlone has processes that this one started by other means: before the first attempt, and in its own group.
func TestNeighboursAreLeftAlone(t *testing.T) {
	if os.Getenv("WQ_TEST_NEIGHBOURS") == "" { // in a process of its own, whose first attempt is yet to come
		cmd := exec.Command(os.Args[0], "-test.run", t.Name())
		cmd.Env = append(os.Environ(), "WQ_TEST_NEIGHBOURS=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	start := func(attributes *syscall.SysProcAttr) *exec.Cmd {
		cmd := exec.Command("sleep", "100")
		cmd.SysProcAttr = attributes
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	early := start(&syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL})
	time.Sleep(30 * time.Millisecond) // a process's start is known by the hundredth of a second
	script(t, t.TempDir(), "true", nil)
	late := start(&syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL})
	script(t, t.TempDir(), "sleep 2.5", nil) // the keeper looks once a second
	for name, cmd := range map[string]*exec.Cmd{"early": early, "late": late} {
		if stat, ok := readStat(cmd.Process.Pid); !ok || stat.ended {
			t.Errorf("the %s neighbour was ended", name)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// TestTidyUp lets a program tidy up after TERM, for longer than the default and with programs that it starts for that, whoever leads the
// group and whatever happens to its output.
func TestTidyUp(t *testing.T) {
	const tidy = `sh -c 'trap "sleep 3 && echo \$\$ >$DIR/tidy; exit 1" TERM; echo $$ >$DIR/a.pid; while :; do sleep 0.05; done'`
	for name, text := range map[string]string{
		"it leads":                "exec " + tidy,
		"a shell leads":           tidy + "; true",
		"output is redirected":    tidy + " >$DIR/log 2>&1; true",
		"in a group of its own":   "timeout 100 " + tidy + "; true",
		"in a session of its own": "setsid -w " + tidy + "; true",
		"the shell waits for it":  "trap : TERM; " + tidy + " >/dev/null; true",
		"it prints to a pipe":     tidy + " | cat; true",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ending, log := script(t, dir, text, func(p *Process) { p.Timeout, p.KillAfter = 4*time.Second, 30*time.Second })
			if _, err := os.Stat(filepath.Join(dir, "tidy")); err != nil || !ending.TimedOut || living(t, dir) > 0 {
				t.Errorf("%v, %+v, %d processes\n%s", err, ending, living(t, dir), log)
			}
		})
	}
}

// TestTidyingUpEnds: what a program has started to tidy up gets TERM, too, once the program itself has ended.
func TestTidyingUpEnds(t *testing.T) {
	dir := t.TempDir()
	const after = `sh -c 'trap "echo >$DIR/told; exit" TERM; echo $$ >$DIR/a.pid; while :; do sleep 0.05; done' &`
	ending, log := script(t, dir, "after() {\n"+after+"\nsleep 1; exit 1; }\ntrap after TERM; while :; do sleep 0.05; done",
		func(p *Process) { p.Timeout, p.KillAfter = 4*time.Second, 30*time.Second })
	if _, err := os.Stat(filepath.Join(dir, "told")); err != nil || !ending.TimedOut || living(t, dir) > 0 {
		t.Errorf("%v, %+v, %d processes\n%s", err, ending, living(t, dir), log)
	}
}

// TestPipeHeld returns a moment after the program's end, though another process holds its output.
func TestPipeHeld(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	ending, _ := script(t, dir, leavings["with the pipe"]+awaitPid, func(p *Process) { p.KillAfter = 30 * time.Second })
	if took := time.Since(began); took > PipeDelay+10*time.Second || ending.ExitCode != 0 {
		t.Errorf("%v, %+v", took, ending)
	}
	await(t, "end of the process", func() bool { return living(t, dir) == 0 })
}

// TestOrphansAreReaped leaves no zombie while an attempt runs on.
func TestOrphansAreReaped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	dir := t.TempDir()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p := Process{Args: []string{"sh", "-c", "for i in 1 2 3; do (sh -c 'echo $$ >$DIR/'$i.pid &); done; sleep 100"}, Env: []string{"DIR=" + dir},
			Stdout: io.Discard, Stderr: io.Discard}
		p.Run(ctx)
	}()
	await(t, "end of the orphans", func() bool {
		left := pids(t, dir)
		for _, pid := range left {
			if syscall.Kill(pid, 0) == nil {
				return false
			}
		}
		return len(left) == 3
	})
	stop()
	<-ended
}

func TestParseStat(t *testing.T) {
	s, ok := readStat(os.Getpid())
	if !ok || s.parent != os.Getppid() || s.ended || s.started == 0 {
		t.Errorf("%+v %v", s, ok)
	}
	line := "7 (a ) b (c) S 1 6 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 0 0"
	if s, ok := parseStat(7, line); !ok || s != (stat{pid: 7, parent: 1, group: 6, started: 99, name: "a ) b (c"}) {
		t.Errorf("%+v %v", s, ok)
	}
	for i := range line {
		parseStat(7, line[:i])
	}
}

func BenchmarkRun(b *testing.B) {
	path, err := exec.LookPath("true")
	if err != nil {
		b.Fatal(err)
	}
	p := Process{Args: []string{path}, Stdout: io.Discard, Stderr: io.Discard}
	for b.Loop() {
		p.Run(b.Context())
	}
}
