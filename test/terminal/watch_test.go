// Package terminal runs the worker's verbs for people in a real pseudo-terminal, and looks at what an emulator of a terminal then shows.
package terminal

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"

	"github.com/workqueue/workqueue/test/built"
	"github.com/workqueue/workqueue/worker/redistest"
)

const rows = 40

// screen is a terminal in which a program runs.
type screen struct {
	t       *testing.T
	term    vt10x.Terminal
	done    chan struct{} // closed at the program's end
	process *exec.Cmd

	mu      sync.Mutex
	written strings.Builder
}

// queue is a Redis with one queue.
type queue struct {
	t   *testing.T
	env []string
}

func newQueue(t *testing.T, variables ...string) *queue {
	t.Helper()
	env := append(os.Environ(), "WQ_REDIS_URL="+redistest.Start(t).URL(), "WQ_QUEUE=fruits-00000000aa", "WQ_HOST=fruits-x", "WQ_NODE=node-1", "WQ_LOG_LEVEL=error")
	return &queue{t, append(env, variables...)}
}

func (q *queue) command(args ...string) *exec.Cmd {
	cmd := exec.Command(built.Worker(q.t), args...)
	cmd.Env = q.env
	return cmd
}

// run runs the worker. Its exit code does not matter.
func (q *queue) run(args ...string) string {
	out, _ := q.command(args...).CombinedOutput()
	return string(out)
}

// seed fills the queue with items of one line each.
func (q *queue) seed(items ...string) {
	q.t.Helper()
	cmd := q.command("push")
	cmd.Stdin = strings.NewReader(strings.Join(items, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		q.t.Fatalf("%v: %s", err, out)
	}
	if out, err := q.command("seal").CombinedOutput(); err != nil {
		q.t.Fatalf("%v: %s", err, out)
	}
}

// open runs the worker in a terminal of so many columns.
func (q *queue) open(columns int, args ...string) *screen {
	q.t.Helper()
	s := &screen{t: q.t, term: vt10x.New(vt10x.WithSize(columns, rows)), done: make(chan struct{}), process: q.command(args...)}
	s.process.Env = append(s.process.Env, "TERM=xterm-256color", "NO_COLOR=")
	file, err := pty.StartWithSize(s.process, &pty.Winsize{Rows: rows, Cols: uint16(columns)})
	if err != nil {
		q.t.Fatal(err)
	}
	q.t.Cleanup(func() { _ = s.process.Process.Kill(); <-s.done; _ = file.Close() })
	go func() {
		defer close(s.done)
		buffer := make([]byte, 32<<10)
		for {
			n, err := file.Read(buffer)
			s.mu.Lock()
			_, _ = s.term.Write(buffer[:n])
			s.written.Write(buffer[:n])
			s.mu.Unlock()
			if err != nil {
				_ = s.process.Wait()
				return
			}
		}
	}()
	return s
}

// lines returns what is on the screen, without the empty lines at its end, and all that was written.
func (s *screen) lines() (shown []string, written string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	columns, rows := s.term.Size()
	for y := range rows {
		var line strings.Builder
		for x := range columns {
			char := s.term.Cell(x, y).Char
			if char == 0 {
				char = ' '
			}
			line.WriteRune(char)
		}
		shown = append(shown, strings.TrimRight(line.String(), " "))
	}
	for len(shown) > 0 && shown[len(shown)-1] == "" {
		shown = shown[:len(shown)-1]
	}
	return shown, s.written.String()
}

// await waits until the screen shows what matches.
func (s *screen) await(pattern string) []string {
	s.t.Helper()
	wanted := regexp.MustCompile("(?m)" + pattern)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		shown, _ := s.lines()
		if wanted.MatchString(strings.Join(shown, "\n")) {
			return shown
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the screen does not show %s:\n%s", pattern, strings.Join(shown, "\n"))
		}
	}
}

// end waits for the end of the program, and returns its screen and its exit code.
func (s *screen) end() ([]string, int) {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		s.t.Fatal("the program did not end within 20 s")
	}
	shown, _ := s.lines()
	return shown, s.process.ProcessState.ExitCode()
}

// bars returns the lines that have a bar.
func bars(shown []string) (found []string) {
	for _, line := range shown {
		if strings.ContainsAny(line, "█░") {
			found = append(found, line)
		}
	}
	return found
}

var barFirst = regexp.MustCompile(`^█*░* +[0-9.]+% `)

// TestWatch: at any width, the progress takes two lines that no redraw leaves anything of, and the bar is made of characters that every font has.
func TestWatch(t *testing.T) {
	for _, columns := range []int{60, 80, 200} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			t.Parallel()
			q := newQueue(t, `WQ_COMMAND=["sh", "-c", "sleep 0.2; case $0 in item-1?) exit 3;; esac"]`, "WQ_MAX_ATTEMPTS=1")
			var items []string
			for i := range 20 {
				items = append(items, fmt.Sprintf("item-%d", i))
			}
			q.seed(items...)
			q.run("pause")
			s := q.open(columns, "watch")
			check := func(shown []string) {
				t.Helper()
				if found := bars(shown); len(found) != 1 || !barFirst.MatchString(found[0]) || strings.Count(strings.Join(shown, "\n"), "of 20") > 1 {
					t.Errorf("want one line with a bar, which comes first:\n%s", strings.Join(shown, "\n"))
				}
			}
			shown := s.await("^paused: workers start nothing")
			check(shown)
			if len(shown) != 2 {
				t.Errorf("want two lines:\n%s", strings.Join(shown, "\n"))
			}
			q.run("resume")
			worker := q.command("work")
			if err := worker.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = worker.Process.Signal(syscall.SIGTERM); _ = worker.Wait() }()
			for ended := false; !ended; time.Sleep(50 * time.Millisecond) {
				if shown, _ := s.lines(); !strings.Contains(strings.Join(shown, "\n"), "Queue fruits-") {
					check(shown)
				}
				select {
				case <-s.done:
					ended = true
				default:
				}
			}
			shown, code := s.end()
			text := strings.Join(shown, "\n")
			if found := bars(shown); len(found) != 1 || !strings.HasPrefix(text, "█") || !strings.Contains(found[0], " 100% ") || code != 0 {
				t.Errorf("exit code %d; want one full bar at the top:\n%s", code, text)
			}
			if !strings.Contains(shown[1]+shown[2], "Queue fruits-00000000aa") || !strings.Contains(text, "FAILED: 10 of 20 items are dead") {
				t.Errorf("the report does not follow the bar:\n%s", text)
			}
			if _, written := s.lines(); strings.ContainsFunc(written, func(r rune) bool { return r >= 0xe000 && r <= 0xf8ff }) {
				t.Errorf("a character of private use is written: %q", written)
			}
		})
	}
}

// TestWatchIsInterrupted: what follows begins on a line of its own, and the cursor is there.
func TestWatchIsInterrupted(t *testing.T) {
	q := newQueue(t)
	q.seed("apple")
	s := q.open(60, "watch")
	s.await("^waiting for workers")
	_ = s.process.Process.Signal(syscall.SIGINT)
	shown, code := s.end()
	if code != 143 || len(shown) != 3 || shown[2] != "worker: stopped by a signal" || !s.term.CursorVisible() {
		t.Errorf("exit code %d:\n%s", code, strings.Join(shown, "\n"))
	}
}
