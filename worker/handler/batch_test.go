package handler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/workqueue/workqueue/worker/handler/handlertest"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
)

// contract has lines that keep and break the contract in the modes exec and batch. It has read the items 1 and 2 of 3.
var contract = []struct {
	name, said string
	want       string // outcome and reason of each item that is settled, then what is wrong
}{
	{"every word", "1 failed no answer\n2 done\n", `1 failed "no answer", 2 done ""`},
	{"no reason", "1 dead\n2 snoozed\n", `1 dead "reported by the program", 2 snoozed "reported by the program"`},
	{"JSON", `{"id":2,"status":"done"}` + "\n", `2 done ""`},
	{"alive", "alive\n1 alive\n1 done\n", `1 done ""`},
	{"pushes of another item", "2 push x\n1 done\n", `1 done ""`},
	{"counts from 0", "0 done\n1 done\n", `: "0 done": "0" is no item of this process`},
	{"counts too far", "1 done\n4 done\n", `1 done "": "4 done": "4" is no item of this process`},
	{"has not read it", "1 done\n3 done\n2 done\n", `1 done "": "3 done": the program has not read item 3 yet`},
	{"says it twice", "1 done\n1 failed\n", `1 done "": "1 failed": item 1 was settled before`},
	{"pushes when it is too late", "1 done\n1 push x\n", `1 done "": "1 push x": item 1 was settled before`},
	{"a number with a zero", "01 done\n", `: "01 done": "01" is no item of this process`},
	{"no word", "1\n", `: "1": a message is ITEM WORD TEXT or a JSON object`},
	{"a log line", "starting\n1 done\n", `: "starting": a message is ITEM WORD TEXT or a JSON object`},
	{"a cut line", "1 done\n2 do", `1 done "": "2 do": the line has no end`},
	{"two on a line", `{"id":"1","status":"done"}{"id":"2","status":"done"}` + "\n\n", `: "{\"id\":\"1\",\"status\":\"done\"}{\"id\":\"2\",\"status\":\"done\"}": something follows`},
}

func TestReports(t *testing.T) {
	for _, test := range contract {
		var got []string
		ended := false
		r := reports{items: 3, read: func() int { return 2 }, end: func() { ended = true },
			settle: func(number int, a Attempt) { got = append(got, fmt.Sprintf("%d %s %q", number, a.Outcome, a.Reason)) }}
		r.readFrom(strings.NewReader(test.said))
		result := strings.Join(got, ", ")
		if r.broken != nil {
			result += strings.TrimPrefix(r.broken.Error(), "file descriptor 3")
		}
		if !strings.HasPrefix(result, test.want) || ended != (r.broken != nil) || !r.said {
			t.Errorf("%s: got %s, ended: %v", test.name, result, ended)
		}
	}
	broken := io.MultiReader(strings.NewReader("1 done\n2 de"), iotest.ErrReader(io.ErrClosedPipe))
	r := reports{items: 3, read: func() int { return 3 }, end: func() {}, settle: func(int, Attempt) {}}
	if r.readFrom(broken); !errors.Is(r.broken, io.ErrClosedPipe) {
		t.Errorf("a read error is lost: %v", r.broken)
	}
}

// A batch that is cut off has done what it reported, whatever its exit code.
func TestBatchCutOff(t *testing.T) {
	const script = `trap 'exit 0' TERM; read a; read b; echo 1 done >&3; echo 2 failed >&3; while :; do sleep 0.02; done`
	items := []queue.Item{{ID: "1", Payload: "1"}, {ID: "2", Payload: "2"}, {ID: "3", Payload: "3"}, {ID: "4", Payload: "4"}}
	for _, timeout := range []time.Duration{0, 500 * time.Millisecond} {
		b := &Batch{Command: newExec("sh", "-c", script).Command, Size: 10, Delimiter: '\n'}
		b.Timeout = timeout
		ctx, cancel := context.WithCancel(t.Context())
		reported := make(chan Attempt, len(items))
		go b.Handle(ctx, items, func(_ int, attempt Attempt) { reported <- attempt })
		first, second := <-reported, <-reported // while the command runs
		if timeout == 0 {
			cancel()
		}
		got := fmt.Sprint(first.Outcome, " ", second.Outcome, " ", (<-reported).Outcome, " ", (<-reported).Outcome)
		// After the timeout the two that are left run again, each alone, and each reports its first item as done.
		if want := map[bool]string{true: "done failed returned returned", false: "done failed done done"}[timeout == 0]; got != want {
			t.Errorf("timeout %v: got %s, want %s", timeout, got, want)
		}
		cancel()
	}
}

func TestBatchChildren(t *testing.T) {
	for _, test := range []struct {
		name    string
		script  string
		timeout time.Duration // per item
		want    string        // the outcome of each item: done, failed
	}{
		{name: "reads all", script: "cat", want: "done done done"},
		{name: "does not read", script: ":", want: "failed failed failed"},
		{name: "reads all before it begins", script: `test "$(sort | wc -l)" = "$WQ_BATCH_ITEMS"`, want: "done done done"},
		{name: "closes its input early", script: "exec <&-; sleep 0.2", want: "failed failed failed"},
		{name: "closes the descriptor", script: "exec 3>&-; cat", want: "done done done"},
		{name: "says something, and leaves a grandchild with all pipes", script: "while read -r i; do echo alive >&3; done; sleep 30 &", want: "failed failed failed"},
		{name: "says nothing, and leaves a grandchild with the descriptor", script: "cat; sleep 30 & exit 0", want: "failed failed failed"},
		{name: "says nothing, and leaves a grandchild without the descriptor", script: "cat; sleep 30 3>&- & exit 0", want: "done done done"},
		{name: "reports after its end", script: `items=$(cat); (sleep 1; echo "1 done") >&3 & exit 0`, want: "failed failed failed"},
		{name: "reports all", script: `n=0; while read -r i; do n=$((n+1)); echo "$n done" >&3; done`, want: "done done done"},
		{name: "reports all before it fails", script: `n=0; while read -r i; do n=$((n+1)); echo "$n done" >&3; done; exit 1`, want: "done done done"},
		{name: "swallows its input", script: `n=0; while read -r i; do n=$((n+1)); cat >/dev/null; echo "$n done" >&3; done`, want: "done done done"},
		{name: "reports one, never the others", script: `while read -r i; do test $i != 2 || echo "1 done" >&3; done`, want: "done done done"},
		{name: "never says one", script: `n=0; while read -r i; do n=$((n+1)); echo alive >&3; test $i = 2 || echo "$n done" >&3; done`, want: "done failed done"},
		{name: "reports before it fails", script: "read -r i; echo 1 failed >&3; exit 1", want: "failed failed failed"},
		{name: "reports done before it fails", script: "if grep 3; then exit 1; fi; echo 1 done >&3", want: "done done failed"},
		{name: "quotes a large page", script: "cat; (printf '1 dead '; head -c 100000 /dev/zero | tr '\\0' x; echo; echo 2 failed; echo 3 done) >&3", want: "dead failed done"},
		{name: "reports with the wrong number", script: "cat; echo 0 done >&3", want: "failed failed failed"},
		{name: "reports what it did not read", script: "read -r i; for n in 1 2 3 4; do echo $n done >&3; done", want: "done done done"},
		{name: "reports what it did not read, which fails when it is read", script: "read -r i; test $i != 2 || exit 1; test $i != 1 || echo 2 done >&3", want: "failed failed done"},
		{name: "is killed by one", script: "if grep 3; then kill -KILL $$; fi", want: "done done failed"},
		{name: "stops itself at one", script: "if grep 2; then kill -STOP $$; fi", timeout: 2 * time.Second, want: "done failed done"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := &Batch{Command: newExec("sh", "-c", test.script).Command, Size: 10, Delimiter: '\n'}
			b.Timeout = test.timeout
			started := time.Now()
			var got []string
			var runs time.Duration
			for _, o := range handlertest.Handle(t.Context(), b, []queue.Item{{ID: "1", Payload: "1"}, {ID: "2", Payload: "2"}, {ID: "3", Payload: "3"}}) {
				got = append(got, string(o.Outcome))
				runs += o.Duration
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
			took := time.Since(started)
			if took > 60*time.Second {
				t.Errorf("it took %v", took)
			}
			if runs > took {
				t.Errorf("the items took %v in sum, of %v in all: each has a share of its run", runs, took)
			}
		})
	}
}

// TestBatchEndsEarly runs programs that exit with 0 before they have read all items. Others must get what they have not read, even if it
// was in the pipe.
func TestBatchEndsEarly(t *testing.T) {
	for _, size := range []int{3, 3000} {
		var printed bytes.Buffer
		b := &Batch{Command: newExec("sh", "-c", `for n in 1 2 3; do read -r item && echo "$item"; done; exit 0`).Command, Size: 40, Delimiter: '\n'}
		b.Output = &process.Output{Out: &printed, Err: io.Discard}
		items := make([]queue.Item, 40)
		want := ""
		for i := range items {
			items[i].Payload = fmt.Sprintf("%0*d", size, i)
			want += items[i].Payload + "\n"
		}
		for i, a := range handlertest.Handle(t.Context(), b, items) {
			if a.Outcome != queue.OutcomeDone {
				t.Errorf("item %d: %+v", i, a)
			}
		}
		if got := printed.String(); got != want {
			t.Errorf("%d bytes an item: the programs have read %d lines, which are not the items", size, strings.Count(got, "\n"))
		}
	}
}

// TestBatchWithoutFiles runs items while the worker can open no files. That is no fault of theirs.
func TestBatchWithoutFiles(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	b := &Batch{Command: newExec("cat").Command, Size: 2, Delimiter: '\n'}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	attempts := handlertest.Handle(t.Context(), b, make([]queue.Item, 2))
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for _, a := range attempts {
		if a.Outcome != queue.OutcomeSnoozed {
			t.Errorf("%+v", a)
		}
	}
}

// TestBatchRecall recalls what a program was not given, while it is held up by one item. A program that has read its items keeps them.
func TestBatchRecall(t *testing.T) {
	const lazy = `while read -r item; do case $item in slow) echo there; read -r line <"$FIFO" ;; esac; done`
	for _, test := range []struct {
		name, script string
		returned     bool
	}{
		{"takes one after another", lazy, true},
		{"reads all before it begins", `items=$(sort); printf '%s\n' "$items" | (` + lazy + `)`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fifo := filepath.Join(t.TempDir(), "fifo")
			if err := unix.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			out := &watched{text: "there", seen: make(chan struct{})}
			b := &Batch{Command: newExec("sh", "-c", "FIFO="+fifo+"; "+test.script).Command, Size: 20, Delimiter: '\n'}
			b.Output = &process.Output{Out: out, Err: io.Discard}
			items := slices.Repeat([]queue.Item{{ID: "1", Payload: "fast"}}, 20)
			items[4].Payload = "slow"
			attempts := make(chan []Attempt, 1)
			go func() { attempts <- handlertest.Handle(t.Context(), b, items) }()
			<-out.seen
			b.Recall()
			for began := time.Now(); !b.Excess() && time.Since(began) < 3*holdLimit; {
				time.Sleep(10 * time.Millisecond)
			}
			if b.Excess() != test.returned {
				t.Errorf("excess: %v", !test.returned)
			}
			b.Recall()
			if b.Excess() {
				t.Error("items are left after the recall")
			}
			if err := os.WriteFile(fifo, []byte("go on\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range <-attempts {
				got = append(got, string(a.Outcome))
			}
			want := slices.Repeat([]string{"done"}, len(items))
			for i := 5; test.returned && i < len(want); i++ {
				want[i] = "returned"
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestBatchRecallOfLargeItems recalls items while a portion is still being written, because it is larger than the pipe. What the program
// gets afterwards must be whole items.
func TestBatchRecallOfLargeItems(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	const size = 3000
	script := `while read -r item; do case $item in 6-*) echo there >&2; read -r line <"$FIFO" ;; esac; echo "${item%%x*} ${#item}"; done`
	there := &watched{text: "there", seen: make(chan struct{})}
	var printed bytes.Buffer
	b := &Batch{Command: newExec("sh", "-c", "FIFO="+fifo+"; "+script).Command, Size: 40, Delimiter: '\n'}
	b.Output = &process.Output{Out: &printed, Err: there}
	items := make([]queue.Item, 40)
	for i := range items {
		head := fmt.Sprintf("%d-", i)
		items[i] = queue.Item{ID: fmt.Sprint(i + 1), Payload: head + strings.Repeat("x", size-len(head))}
	}
	attempts := make(chan []Attempt, 1)
	go func() { attempts <- handlertest.Handle(t.Context(), b, items) }()
	<-there.seen
	for began := time.Now(); !b.Excess() && time.Since(began) < 3*holdLimit; {
		time.Sleep(10 * time.Millisecond)
	}
	b.Recall()
	if err := os.WriteFile(fifo, []byte("go on\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := ""
	returned := 0
	for i, a := range <-attempts {
		if a.Outcome == queue.OutcomeDone {
			want += fmt.Sprintf("%d- %d\n", i, size)
		} else {
			returned++
		}
	}
	if printed.String() != want || returned == 0 {
		t.Errorf("%d items were returned; the program got\n%swant\n%s", returned, printed.String(), want)
	}
}

// watched is an output that is awaited.
type watched struct {
	text string
	seen chan struct{}
	once sync.Once
}

func (w *watched) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(p), nil
}
