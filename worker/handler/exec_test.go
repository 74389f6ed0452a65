package handler

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/handler/handlertest"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
)

func newExec(args ...string) *Exec {
	return &Exec{Command: Command{Args: args, Output: &process.Output{Out: io.Discard, Err: io.Discard}}}
}

func runOne(t *testing.T, e *Exec, payload string) Attempt {
	t.Helper()
	return handlertest.Handle(t.Context(), e, []queue.Item{{ID: "1", Payload: payload}})[0]
}

// awkward is items that others have stumbled over.
var awkward = map[string]string{
	"spaces":        "  two  words ",
	"quotes":        `it's "quoted" \n $HOME ` + "`id` $(id)",
	"newlines":      "one\ntwo\n\n",
	"braces":        "a{}b{{}}",
	"dashes":        "--help",
	"unicode":       "ünïcödé 🍌 \u202e",
	"invalid UTF-8": "\xff\xfe\x80",
	"equals":        "A=B;C",
	"glob":          "*?[a]~",
	"empty":         "",
	"long":          strings.Repeat("x", 100<<10),
	"a pipe full":   strings.Repeat("x", process.PipeHolds),
	"one more":      strings.Repeat("x", process.PipeHolds+1),
}

func TestExecItems(t *testing.T) {
	dir := t.TempDir()
	script := `cd "$0"; printf %s "$1" >arg; printf %s "$WQ_ITEM" >var; test -z "$(cat)"`
	for name, payload := range awkward {
		for _, args := range [][]string{{"sh", "-c", script, dir, "{}"}, {"sh", "-c", script, dir}} {
			if o := runOne(t, newExec(args...), payload); o.Outcome != queue.OutcomeDone {
				t.Errorf("%s: %+v", name, o)
			}
			for _, file := range []string{"arg", "var"} {
				if got, _ := os.ReadFile(filepath.Join(dir, file)); string(got) != payload {
					t.Errorf("%s, %s: got %.40q", name, file, got)
				}
			}
		}
	}
}

// TestExecPath: a program that was looked for before is called by the name it was given.
func TestExecPath(t *testing.T) {
	e := newExec("a-name", "-c", `printf %s "$0"`)
	e.Path, e.Stdin, e.ResultBytes, e.Results = "/bin/sh", true, 100, true
	if o := runOne(t, e, "x"); o.Outcome != queue.OutcomeDone || o.Output != "a-name" {
		t.Errorf("%+v", o)
	}
}

// TestExecStdin runs items that come on standard input, whatever they are. None is an argument or a variable then.
func TestExecStdin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "in")
	payloads := map[string]string{"NUL": "a\x00b", "1 MiB": strings.Repeat("m", 1<<20)}
	maps.Copy(payloads, awkward)
	for name, payload := range payloads {
		e := newExec("sh", "-c", `test -z "$1$WQ_ITEM" && cat >"$0"`, file)
		e.Stdin = true
		if o := runOne(t, e, payload); o.Outcome != queue.OutcomeDone {
			t.Errorf("%s: %+v", name, o)
		}
		if got, _ := os.ReadFile(file); string(got) != payload {
			t.Errorf("%s: got %d bytes, %.40q", name, len(got), got)
		}
	}
}

// TestExecUndeliverable runs items that fit into no argument or no variable. They are dead, and never delivered in part.
func TestExecUndeliverable(t *testing.T) {
	for name, payload := range map[string]string{
		"NUL":            "a\x00b",
		"1 MiB":          strings.Repeat("m", 1<<20),
		"no variable":    strings.Repeat("m", maxArgument-2),
		"a large number": `{"a":` + strings.Repeat("1", maxArgument) + `}`,
	} {
		for _, args := range [][]string{{"true", "{}"}, {"true"}, {"true", "{#}"}} {
			if o := runOne(t, newExec(args...), payload); o.Outcome != queue.OutcomeDead || !strings.Contains(o.Reason, "WQ_INPUT=stdin") {
				t.Errorf("%s, %q: %.200v", name, args, o)
			}
		}
	}
	// Each argument is short enough, but not all together.
	many := append([]string{"true"}, strings.Split(strings.Repeat("{} ", 40), " ")...)
	if o := runOne(t, newExec(many...), strings.Repeat("m", 100<<10)); o.Outcome != queue.OutcomeDead {
		t.Errorf("too many long arguments: %+v", o)
	}
}

func TestExecChildren(t *testing.T) {
	for _, test := range []struct {
		name    string
		script  string
		payload string
		timeout time.Duration
		outcome queue.Outcome
		code    int
	}{
		{name: "fails", script: "exit 3", outcome: queue.OutcomeFailed, code: 3},
		{name: "is killed", script: "kill -SEGV $$", outcome: queue.OutcomeFailed, code: 139},
		{name: "closes its input early", script: "exec <&-; sleep 0.2", payload: strings.Repeat("x", 1<<20), outcome: queue.OutcomeDone},
		{name: "ends while it is written to", script: "head -c 10 >/dev/null", payload: strings.Repeat("x", 1<<20), outcome: queue.OutcomeDone},
		{name: "does not read", script: ":", payload: strings.Repeat("x", 1<<20), outcome: queue.OutcomeDone},
		{name: "closes its output", script: "exec >&- 2>&-; sleep 0.2", outcome: queue.OutcomeDone},
		{name: "ends too late", script: "sleep 60", timeout: 100 * time.Millisecond, outcome: queue.OutcomeFailed, code: process.ExitTimeout},
		{name: "ignores TERM", script: "trap '' TERM; sleep 60", timeout: 100 * time.Millisecond, outcome: queue.OutcomeFailed, code: process.ExitTimeout},
		{name: "stops itself", script: "kill -STOP $$", timeout: 100 * time.Millisecond, outcome: queue.OutcomeFailed, code: process.ExitTimeout},
		{name: "leaves a grandchild with the pipes", script: "sleep 30 & exit 0", outcome: queue.OutcomeDone},
		{name: "leaves a grandchild of its own session", script: "setsid sleep 30 & exit 5", outcome: queue.OutcomeFailed, code: 5},
		{name: "exits with 0 when it is cut off", script: "trap 'exit 0' TERM; while :; do sleep 0.1; done", timeout: 200 * time.Millisecond,
			outcome: queue.OutcomeFailed, code: process.ExitTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newExec("sh", "-c", test.script, "sh")
			e.Timeout, e.Stdin = test.timeout, test.payload != ""
			started := time.Now()
			o := runOne(t, e, test.payload)
			if o.Outcome != test.outcome || o.ExitCode != test.code {
				t.Errorf("%+v", o)
			}
			if took := time.Since(started); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestExecInterrupted(t *testing.T) {
	for _, script := range []string{"sleep 60", "trap 'exit 0' TERM; while :; do sleep 0.05; done", "trap 'exit 75' TERM; while :; do sleep 0.05; done"} {
		e := newExec("sh", "-c", script)
		e.SnoozeCodes = []int{75}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(200*time.Millisecond, cancel)
		if o := handlertest.Handle(ctx, e, []queue.Item{{ID: "1", Payload: "x"}})[0]; o.Outcome != queue.OutcomeReturned {
			t.Errorf("%s: %+v", script, o)
		}
	}
	// What ended by itself is done, though its output ends, or it is interrupted, only later.
	e := newExec("sh", "-c", "sleep 30 & exit 0")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	if o := handlertest.Handle(ctx, e, []queue.Item{{ID: "1", Payload: "x"}})[0]; o.Outcome != queue.OutcomeDone {
		t.Errorf("ended before it was interrupted: %+v", o)
	}
}

// A program that is named by the item and is not there concerns that item alone.
func TestExecProgramOfItem(t *testing.T) {
	e := newExec("{}")
	for payload, want := range map[string]queue.Outcome{"true": queue.OutcomeDone, "nonesuch": queue.OutcomeDead,
		"": queue.OutcomeDead, "/etc/passwd": queue.OutcomeDead, strings.Repeat("x", 5000): queue.OutcomeDead} {
		if o := runOne(t, e, payload); o.Outcome != want {
			t.Errorf("%.40q: %+v", payload, o)
		}
	}
	if o := runOne(t, newExec("nonesuch", "{}"), "x"); o.Outcome != OutcomeInvalid {
		t.Errorf("no item can be run, but: %+v", o)
	}
}

// TestExecFlood checks that what a command prints is not held in memory, whatever its form.
func TestExecFlood(t *testing.T) {
	for _, format := range []string{"raw", "tagged", "json"} {
		e := newExec("sh", "-c", "head -c 64M /dev/zero; yes | head -c 1M >&2; exit 1")
		e.Output.Format = format
		e.ResultBytes, e.Results = 100, true
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		o := runOne(t, e, "")
		runtime.ReadMemStats(&after)
		if o.Outcome != queue.OutcomeFailed || !o.Truncated || len(o.Output) > 4<<10 {
			t.Errorf("%s: %d bytes kept: %v", format, len(o.Output), o.Outcome)
		}
		if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 16<<20 {
			t.Errorf("%s: memory has grown by %d MiB", format, grown>>20)
		}
	}
}

// TestExecSays runs programs that say something on descriptor 3. The first word that settles the item is final; if there is none, the exit
// code counts.
func TestExecSays(t *testing.T) {
	for script, want := range map[string]string{
		`echo "1 push b" >&3; echo "1 push c d" >&3`:                                `done "" ["b" "c d"]`,
		`echo "1 push b" >&3; exit 3`:                                               `failed "exit code 3" []`,
		`echo "1 push b" >&3; echo "1 failed sour" >&3`:                             `failed "sour" []`,
		`echo "1 done" >&3; exit 3`:                                                 `done "" []`,
		`echo "1 done" >&3; echo "1 failed late" >&3`:                               `done "" []`,
		`echo "1 dead rotten" >&3`:                                                  `dead "rotten" []`,
		`echo alive >&3`:                                                            `done "" []`,
		`echo "2 done" >&3; sleep 60`:                                               `failed "file descriptor 3: \"2 done\": \"2\" is no item of this process: they are numbered from 1 to 1" []`,
		`echo "downloading" >&3; sleep 60`:                                          `failed "file descriptor 3: \"downloading\": a message is ITEM WORD TEXT or a JSON object" []`,
		`printf "1 do" >&3`:                                                         `failed "file descriptor 3: \"1 do\": the line has no end" []`,
		`sleep 60 & echo "1 push b" >&3`:                                            `done "" ["b"]`,
		`(sleep 1; echo "1 failed late" >&3) & exit 0`:                              `done "" []`,
		`echo '{"id":"1","status":"push","push":["bg=="],"encoding":"base64"}' >&3`: `done "" ["n"]`,
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			a := runOne(t, newExec("sh", "-c", script, "sh"), "x")
			if got := fmt.Sprintf("%s %q %q", a.Outcome, a.Reason, a.Push); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
