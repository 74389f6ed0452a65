package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon is far less than what the programs of these tests sleep, and far more than a busy machine takes.
const soon = 60 * time.Second

// generate runs a shell line as a generator. In the line, $pids is a file for the process IDs of what it leaves behind.
func generate(ctx context.Context, t *testing.T, layout Layout, line string, each func(string) error) (items []string, log string, err error) {
	t.Helper()
	pids := filepath.Join(t.TempDir(), "pids")
	var logged strings.Builder
	began := time.Now()
	err = Generator(ctx, []string{"sh", "-c", line}, append(os.Environ(), "pids="+pids), layout, slog.New(slog.NewTextHandler(&logged, nil)), func(payload string) error {
		items = append(items, payload)
		if each != nil {
			return each(payload)
		}
		return nil
	})
	if took := time.Since(began); took > soon {
		t.Errorf("%s: it took %v", line, took)
	}
	left, _ := os.ReadFile(pids)
	for _, pid := range strings.Fields(string(left)) {
		if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
			number, _ := strconv.Atoi(pid)
			_ = syscall.Kill(number, syscall.SIGKILL)
			t.Errorf("%s: process %s is left: %s", line, pid, stat)
		}
	}
	return items, logged.String(), err
}

// TestGeneratorEnds: the list ends when the program ends, and what that has left behind ends with it.
func TestGeneratorEnds(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("x", 100)
	for _, test := range []struct {
		line   string
		format Format
		want   []string
		err    string // "" for none
		wrong  bool
		log    string
	}{
		{line: "echo a; echo b", want: []string{"a", "b"}},
		{line: "sleep 300 & echo $! >$pids; echo a; echo b", want: []string{"a", "b"}, log: "level=WARN"},
		{line: "sleep 300 >/dev/null & echo $! >$pids; printf 'a\\nb'", want: []string{"a", "b"}},
		{line: "trap '' TERM; sleep 300 & echo $! >$pids; echo a", want: []string{"a"}, log: "level=WARN"},
		{line: "(sleep 0.1; echo b) & echo a", want: []string{"a", "b"}}, // as the last process of a pipeline does
		{line: "while :; do echo " + many + " || exit; done & echo $! >$pids; exit 3", err: "sh: exit status 3; nothing of what it printed was published"},
		{line: "sleep 300 & echo $! >$pids; exit 3", err: "sh: exit status 3"},
		{line: "sleep 300 & echo $! >$pids; echo '{\"a\":'; exit 1", format: JSONL, err: "sh: exit status 1"},
		{line: "echo a,b; echo 1,2; printf 3; exit 1", format: CSV, want: []string{`{"a":"1","b":"2"}`}, err: "sh: exit status 1"},
		{line: "echo 'psql: error'; sleep 0.3; exit 2", format: JSONL, err: "sh: exit status 2"},
		{line: "kill -9 $$", err: "sh: signal: killed"},
		{line: "echo x; echo y", format: JSONL, err: "sh: line 1, column 1: not JSON", wrong: true},
		{line: "echo $$ >$pids; echo x; exec sleep 300", format: JSONL, err: "sh: line 1, column 1: not JSON", wrong: true},
		{line: "exec >&-; sleep 0.2; exit 4", err: "sh: exit status 4"},
	} {
		if test.format == "" {
			test.format = Lines
		}
		t.Run(test.line, func(t *testing.T) {
			t.Parallel()
			items, log, err := generate(context.Background(), t, Layout{test.format, '\n'}, test.line, nil)
			failed := (*Error)(nil)
			switch {
			case test.err == "" && err != nil:
				t.Errorf("%v", err)
			case test.err != "" && (!errors.As(err, &failed) || failed.Wrong != test.wrong || !strings.HasPrefix(err.Error(), test.err)):
				t.Errorf("got %#v, %v; want %s", err, err, test.err)
			}
			if test.err == "" && !slices.Equal(items, test.want) || (log == "") != (test.log == "") {
				t.Errorf("got %q, want %q; the log is %s", items, test.want, log)
			}
		})
	}
}

// TestGeneratorLosesNothing: what the program wrote before it ended is read, however long that takes, while another process holds the pipe.
func TestGeneratorLosesNothing(t *testing.T) {
	t.Parallel()
	items, log, err := generate(context.Background(), t, Layout{Lines, '\n'}, "sleep 300 & echo $! >$pids; seq 8000", func(payload string) error {
		if payload == "1" {
			time.Sleep(2 * heldDelay)
		}
		return nil
	})
	if err != nil || len(items) != 8000 || items[7999] != "8000" || log == "" {
		t.Errorf("%d items, %v, %s", len(items), err, log)
	}
	items, log, err = generate(context.Background(), t, Layout{Lines, '\n'}, "seq 8000", func(payload string) error {
		if payload == "1" {
			time.Sleep(2 * heldDelay)
		}
		return nil
	})
	if err != nil || len(items) != 8000 || log != "" {
		t.Errorf("%d items, %v, %s", len(items), err, log)
	}
}

// TestGeneratorStops: a program that is not needed any more is ended with its children.
func TestGeneratorStops(t *testing.T) {
	t.Parallel()
	const line = "sleep 300 & echo $! $$ >$pids; echo a; wait"
	full := errors.New("full")
	if _, _, err := generate(context.Background(), t, Layout{Lines, '\n'}, line, func(string) error { return full }); err != full {
		t.Errorf("got %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	_, _, err := generate(ctx, t, Layout{Lines, '\n'}, line, func(string) error {
		stop()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestReadingStops: nothing that keeps a list waiting keeps it from stopping.
func TestReadingStops(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("an item")
	each := func(string) error { return stopped }
	for _, state := range []string{"open", "read"} {
		for name, read := range map[string]func(ctx context.Context) error{
			"Paths": func(ctx context.Context) error { return Paths(ctx, []string{fifo}, Layout{Lines, '\n'}, each) },
			"JSON":  func(ctx context.Context) error { return JSON(ctx, fifo, each) },
		} {
			ctx, stop := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- read(ctx) }()
			var writer *os.File
			if state == "read" {
				var err error
				if writer, err = os.OpenFile(fifo, os.O_WRONLY, 0); err != nil { // returns when it is open for reading
					t.Fatal(err)
				}
				fmt.Fprint(writer, "[") // half a line, half a list
			}
			stop()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s: %v", name, state, err)
			}
			if writer != nil {
				writer.Close()
			} else if writer, err := os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				writer.Close() // so that the goroutine that opens it ends
			}
		}
	}
}
