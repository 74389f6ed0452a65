package stream

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/handler/handlertest"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
)

// requestLine is a line to a program.
type requestLine struct {
	ID       string `json:"id"`
	Attempt  int    `json:"attempt"`
	Encoding string `json:"encoding,omitempty"` // "base64" if the item is not UTF-8
	Item     string `json:"item"`
}

// programs are what this test's binary does when it is run as a stream's command.
var programs = map[string]func(requests <-chan requestLine, respond func(id, status string, result any)){
	// Responds, when no more requests come, with the number of items it had in flight.
	"several": func(requests <-chan requestLine, respond func(id, status string, result any)) {
		var had []requestLine
		for q := range requests {
			had = append(had, q)
			for idle := false; !idle; {
				select {
				case q := <-requests:
					had = append(had, q)
				case <-time.After(5 * time.Millisecond):
					idle = true
				}
			}
			n := len(had)
			for _, q := range had {
				respond(q.ID, "done", n)
			}
			had = nil
		}
	},
	// Responds with its process ID, and writes that it is alive when it has nothing to do.
	"lively": func(requests <-chan requestLine, respond func(id, status string, result any)) {
		for q := range requests {
			respond(q.ID, "done", os.Getpid())
			respond("", "alive", nil)
		}
	},
}

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "program" {
		requests := make(chan requestLine)
		go func() {
			for lines := json.NewDecoder(os.Stdin); ; {
				var q requestLine
				if lines.Decode(&q) != nil {
					close(requests)
					return
				}
				requests <- q
			}
		}()
		messages := json.NewEncoder(os.NewFile(3, "messages"))
		programs[os.Args[2]](requests, func(id, status string, result any) {
			m := map[string]any{"status": status}
			if id != "" {
				m["id"], m["result"] = id, result
			}
			_ = messages.Encode(m)
		})
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func newStream(t *testing.T, args ...string) *Handler {
	s := &Handler{
		Command:     handler.Command{Args: args, Output: &process.Output{Out: io.Discard, Err: io.Discard}},
		Processes:   1,
		InFlight:    1,
		ResultBytes: 100,
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newProgram is a stream of one of the programs above.
func newProgram(t *testing.T, name string) *Handler { return newStream(t, os.Args[0], "program", name) }

// handle handles items as a queue does: those that have waited for too long without being sent come again.
func handle(ctx context.Context, s *Handler, items []queue.Item) []handler.Attempt {
	attempts := handlertest.Handle(ctx, s, items)
	for i, a := range attempts {
		for a.Outcome == queue.OutcomeReturned && a.Reason == "not started" && ctx.Err() == nil {
			a = handlertest.Handle(ctx, s, items[i:i+1])[0]
		}
		attempts[i] = a
	}
	return attempts
}

func numbered(from, n int) []queue.Item {
	items := make([]queue.Item, n)
	for i := range items {
		items[i] = queue.Item{ID: strconv.Itoa(from + i), Payload: "x"}
	}
	return items
}

// A program that works on several items at once has InFlight of them, and never more, however they come.
func TestStreamInFlight(t *testing.T) {
	const inFlight = 16
	s := newProgram(t, "several")
	s.InFlight = inFlight
	var all sync.WaitGroup
	var mu sync.Mutex
	most := 0
	for call := range inFlight {
		all.Go(func() {
			for _, o := range handle(t.Context(), s, numbered(100*call, 20)) {
				had, err := strconv.Atoi(o.Output)
				if o.Outcome != queue.OutcomeDone || err != nil || had > inFlight {
					t.Errorf("%+v", o)
				}
				mu.Lock()
				most = max(most, had)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if most != inFlight {
		t.Errorf("the program had %d items at once, not %d", most, inFlight)
	}
}

// The idle timeout does not run while no request is in flight.
func TestStreamIdle(t *testing.T) {
	s := newProgram(t, "lively")
	s.Timeout, s.StartTimeout = time.Second, 10*time.Second
	first := handlertest.Handle(t.Context(), s, numbered(1, 1))[0]
	time.Sleep(1500 * time.Millisecond)
	second := handlertest.Handle(t.Context(), s, numbered(2, 1))[0]
	if first.Outcome != queue.OutcomeDone || first.Output != second.Output {
		t.Errorf("another process has responded: %+v, then %+v", first, second)
	}
}

// Responses to an abandoned call do no harm.
func TestStreamInterrupted(t *testing.T) {
	dir := t.TempDir()
	s := newStream(t, "sh", "-c", `cd "$0"; while read -r line; do
		touch started; until test -e go; do sleep 0.05; done; echo "$line" | sed 's/,.*/,"status":"done"}/' >&3
	done`, dir)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for _, err := os.Stat(filepath.Join(dir, "started")); err != nil; _, err = os.Stat(filepath.Join(dir, "started")) {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	for _, o := range handlertest.Handle(ctx, s, numbered(1, 3)) {
		if o.Outcome != queue.OutcomeReturned {
			t.Errorf("%+v", o)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range handle(t.Context(), s, numbered(1, 3)) { // the same items, which are still there
		if o.Outcome != queue.OutcomeDone {
			t.Errorf("%+v", o)
		}
	}
}

func TestStreamChildren(t *testing.T) {
	for _, test := range []struct {
		name    string
		script  string
		payload string
		timeout time.Duration // 300 ms if none is given
		code    int
		reason  string
	}{
		{name: "never responds", script: "read -r line; sleep 60", code: process.ExitTimeout, reason: "said nothing of its oldest item for 300ms"},
		{name: "ignores TERM", script: "trap '' TERM; read -r line; sleep 60", code: process.ExitTimeout, reason: "said nothing"},
		{name: "stops itself", script: "read -r line; kill -STOP $$", code: process.ExitTimeout, reason: "said nothing"},
		{name: "closes its input", script: "read -r line; exec <&-; sleep 60", timeout: time.Minute, reason: "closed its standard input"},
		{name: "closes the descriptor", script: "read -r line; exec 3>&-; sleep 60", timeout: time.Minute, reason: "closed file descriptor 3"},
		{name: "closes its output", script: "exec >&-; read -r line; exit 4", timeout: time.Minute, code: 4, reason: "exit code 4"},
		{name: "is killed", script: "read -r line; kill -SEGV $$", timeout: time.Minute, code: 139, reason: "signal 11"},
		{name: "leaves a grandchild with the pipes", script: "read -r line; sleep 30 & exit 6", timeout: time.Minute, code: 6, reason: "exit code 6"},
		{name: "leaves a grandchild of its own session", script: "read -r line; setsid sleep 30 & exit 7", timeout: time.Minute, code: 7, reason: "exit code 7"},
		{name: "responds without end", script: "read -r line; (printf '{'; yes | tr -d '\\n') >&3", timeout: time.Minute, reason: "longer than 4 MiB"},
		{name: "cuts its line", script: `read -r line; printf '1 done' >&3; exit 1`, timeout: time.Minute, reason: "the line has no end"},
		{name: "cuts its object", script: `read -r line; printf '{"id":"1","status":"done"}' >&3`, timeout: time.Minute, reason: "the line has no end"},
		{name: "says nothing", script: "read -r line", timeout: time.Minute, reason: "exit code 0"},
		{name: "logs on the descriptor", script: `read -r line; echo '{"level":"info","msg":"processing","id":"1"}' >&3; sleep 60`, timeout: time.Minute, reason: "not a field of a message"},
		{name: "has another item", script: `read -r line; echo 2 done >&3; sleep 60`, timeout: time.Minute, reason: "no item that this program has"},
		{name: "responds on standard output", script: `read -r line; echo '{"id":"1","status":"done"}'; sleep 60`, code: process.ExitTimeout, reason: "said nothing"},
		{name: "an older item hangs", script: `read -r line; while sleep 0.1; do echo alive; echo 1 alive; done`, code: process.ExitTimeout, reason: "said nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, "sh", "-c", test.script)
			s.Timeout = cmp.Or(test.timeout, 300*time.Millisecond)
			started := time.Now()
			o := handle(t.Context(), s, []queue.Item{{ID: "1", Payload: test.payload}})[0]
			if o.Outcome != queue.OutcomeFailed || (test.code != 0 && o.ExitCode != test.code) || !strings.Contains(o.Reason, test.reason) {
				t.Errorf("%+v", o)
			}
			if took := time.Since(started); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// What a program prints is log, whatever it looks like. One warning says where messages belong.
func TestStreamNoise(t *testing.T) {
	var printed, logged strings.Builder
	s := newStream(t, "sh", "-c", `while read -r line; do
		echo '{"id":"1","status":"done"}'; sleep 0.05; echo '{"id":"1","status":"failed"}'; printf 'no '; head -c 100000 /dev/zero | tr '\0' z; echo '1 done' >&3
	done; printf 'the end'`)
	s.Output.Out, s.Log = &printed, slog.New(slog.NewTextHandler(&logged, nil))
	if o := handlertest.Handle(t.Context(), s, numbered(1, 1))[0]; o.Outcome != queue.OutcomeDone {
		t.Errorf("%+v", o)
	}
	s.Close()
	if want := fmt.Sprintf("{\"id\":\"1\",\"status\":\"done\"}\n{\"id\":\"1\",\"status\":\"failed\"}\nno %sthe end", strings.Repeat("z", 100000)); printed.String() != want {
		t.Errorf("printed %.100q…, %d bytes, not %d", printed.String(), printed.Len(), len(want))
	}
	if n := strings.Count(logged.String(), "only messages there count"); n != 1 {
		t.Errorf("logged %s", logged.String())
	}
}

// A program whose message waits in a buffer of its own gets a warning in the log: its item would end only at the time limit.
func TestStreamSilence(t *testing.T) {
	warned := filepath.Join(t.TempDir(), "warned")
	var logged strings.Builder
	s := newStream(t, "sh", "-c", `read -r line; until [ -e "$0" ]; do sleep 0.05; done; echo 1 done >&3`, warned)
	s.silence = time.Millisecond
	s.Log = slog.New(slog.NewTextHandler(writer(func(line []byte) {
		logged.Write(line)
		if err := os.WriteFile(warned, nil, 0o600); err != nil {
			t.Error(err)
		}
	}), nil))
	if o := handlertest.Handle(t.Context(), s, numbered(1, 1))[0]; o.Outcome != queue.OutcomeDone {
		t.Errorf("%+v", o)
	}
	s.Close()
	if n := strings.Count(logged.String(), "said nothing on file descriptor 3 for 1ms"); n != 1 {
		t.Errorf("warned %d times: %s", n, logged.String())
	}
}

// writer is an io.Writer.
type writer func(line []byte)

func (w writer) Write(line []byte) (int, error) {
	w(line)
	return len(line), nil
}

// TestStreamUnread runs programs that end with requests in their input that they have not read. No attempt at these has failed.
func TestStreamUnread(t *testing.T) {
	for name, script := range map[string]string{
		"exits with 3 after each message": `read -r line; id=${line#*'"id":"'}; echo "${id%%'"'*} done" >&3; exit 3`,
		"closes its input after each":     `read -r line; id=${line#*'"id":"'}; exec <&-; echo "${id%%'"'*} done" >&3; sleep 60`,
		"closes the descriptor":           `read -r line; id=${line#*'"id":"'}; echo "${id%%'"'*} done" >&3; exec 3>&-; sleep 60`,
		"leaves the newline unread":       `line=$(dd bs=33 count=1 2>/dev/null); id=${line#*'"id":"'}; echo "${id%%'"'*} done" >&3; exit 3`, // 33 is the rest of the line
		"is killed":                       `read -r line; id=${line#*'"id":"'}; echo "${id%%'"'*} done" >&3; kill -KILL $$`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, "sh", "-c", script)
			s.InFlight = 5
			for i, o := range handlertest.Handle(t.Context(), s, numbered(1, 5)) {
				if o.Outcome != queue.OutcomeDone {
					t.Errorf("item %d: %+v", i, o)
				}
			}
		})
	}
}

// TestStreamTooEarly: a message about a request that is in the program's input, and that it has not read, breaks the contract. The item of that request is
// not charged.
func TestStreamTooEarly(t *testing.T) {
	s := newStream(t, "sh", "-c", `read -r line; case $line in *'"id":"1"'*) echo 2 done >&3; exec sleep 60 ;; esac; echo 2 done >&3`)
	s.InFlight = 2
	attempts := handlertest.Handle(t.Context(), s, numbered(1, 2))
	if o := attempts[0]; o.Outcome != queue.OutcomeFailed || !strings.Contains(o.Reason, "the program has not read the request for item 2 yet") {
		t.Errorf("item 1: %+v", o)
	}
	if o := attempts[1]; o.Outcome != queue.OutcomeDone {
		t.Errorf("item 2: %+v", o)
	}
}

// TestStreamReadsNothing has a program end before it has read anything. As long as none ever has, that is the item's attempt, or a wrong command
// would go on for ever; later the item waits, whether or not the program that has read an item has also said something.
func TestStreamReadsNothing(t *testing.T) {
	for says, outcome := range map[string]queue.Outcome{"echo 1 done >&3": queue.OutcomeDone, ":": queue.OutcomeFailed} {
		once := filepath.Join(t.TempDir(), "once")
		s := newStream(t, "sh", "-c", `[ -e "$0" ] || exit 1; read -r line; `+says+`; rm "$0"; exit 1`, once)
		for i, want := range []queue.Outcome{queue.OutcomeFailed, outcome, queue.OutcomeSnoozed} {
			if i == 1 {
				if err := os.WriteFile(once, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			o := handlertest.Handle(t.Context(), s, numbered(1, 1))[0]
			if o.Outcome != want || (i == 0) != strings.Contains(o.Reason, "no process of the command has read a request yet") {
				t.Errorf("%s, process %d: %+v", says, i, o)
			}
		}
	}
}

// TestStreamPushes accumulates pushes until their item is done.
func TestStreamPushes(t *testing.T) {
	s := newStream(t, "sh", "-c", `while read -r line; do echo 1 push a >&3; echo '{"id":"1","status":"done","push":["b"],"result":"r"}' >&3; done`)
	if o := handlertest.Handle(t.Context(), s, numbered(1, 1))[0]; fmt.Sprint(o.Outcome, o.Push, o.Output) != "done[a b]r" {
		t.Errorf("%+v", o)
	}
}

// Items behind one that hangs are returned, so that others can run them. Those that have ended are reported at once.
func TestStreamReturnsWaiting(t *testing.T) {
	for _, test := range []struct {
		name     string
		script   string
		inFlight int
		done     int // items
		returned int // items at least
	}{
		{name: "the first hangs", script: `read -r line; exec sleep 60`, returned: 49},
		{name: "slow from the first", script: `while read -r line; do
			sleep 0.12; echo "$line" | sed 's/,.*/,"status":"done"}/' >&3; n=$((n + 1)); test $n != 2 || exec sleep 60; done`, done: 2, returned: 47},
		{name: "fast, then slow", script: `while read -r line; do
			echo "${line%%,*},\"status\":\"done\"}" >&3; n=$((n + 1)); test $n -lt 30 || sleep 0.3; test $n != 32 || exec sleep 60; done`, done: 32},
		{name: "crashes, then hangs", script: `if mkdir crashed; then read -r line; read -r line; exit 3; fi; read -r line; exec sleep 60`,
			inFlight: 4, returned: 49},
		{name: "crashes with all in flight, then hangs", script: `if mkdir crashed; then read -r line; read -r line; exit 3; fi
			read -r line; exec sleep 60`, inFlight: 50, returned: 49},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, "sh", "-c", `cd "$0"; `+test.script, t.TempDir())
			s.InFlight = cmp.Or(test.inFlight, 1)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var mu sync.Mutex
			counts := map[queue.Outcome]int{}
			reports := map[int]int{}
			s.Handle(ctx, numbered(1, 50), func(position int, attempt handler.Attempt) {
				mu.Lock()
				defer mu.Unlock()
				reports[position]++
				if ctx.Err() == nil {
					counts[attempt.Outcome]++
				}
				if counts[queue.OutcomeDone] == test.done && counts[queue.OutcomeReturned] >= test.returned {
					cancel() // nothing else comes: an item hangs
				}
			})
			for position, n := range reports {
				if n != 1 {
					t.Errorf("item %d was reported %d times", position, n)
				}
			}
			if len(reports) != 50 || counts[queue.OutcomeDone] != test.done || counts[queue.OutcomeReturned] < test.returned {
				t.Errorf("%d items were reported; while an item hung: %v; want %d done, %d or more returned",
					len(reports), counts, test.done, test.returned)
			}
		})
	}
}
