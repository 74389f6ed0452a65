package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/workqueue/workqueue/worker/fields"
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
	long := strings.Repeat("m", maxArgument)
	for _, test := range []struct {
		args          []string // after true
		payload, want string
	}{
		{nil, "a\x00b", "the argument {} has a NUL byte"},
		{[]string{"<{}>"}, "a\x00b", "the argument <{}> has a NUL byte"},
		{[]string{"{#}"}, "a\x00b", "the item in the variable WQ_ITEM has a NUL byte"},
		{nil, long + "m", "the argument {} has 131072 bytes, and an argument or a variable can have 131071"},
		{nil, long, "the item in the variable WQ_ITEM has 131079 bytes"},
		{[]string{"x{.a}"}, `{"a":"b\u0000"}`, "the argument x{.a} has a NUL byte"},
		{[]string{"{.b}"}, `{"a":"b\u0000","b":1}`, "the item's field a in the variable WQ_FIELD_A has a NUL byte"},
		{nil, `{"a b":1,"A-B":2}`, `the fields "A-B" and "a b" would be the same variable, WQ_FIELD_A_B: rename one of them, or set WQ_INPUT=stdin`},
		{nil, `{"a":1,"a":2}`, "the item has the field a twice"},
		{nil, "{\"a\":\"\xff\"}", "the item is a JSON object with bytes that are not UTF-8"},
		{nil, `{"a":"\ud800"}`, "the item's field a is a string that is not all text"},
		{[]string{"{.a}"}, `{"a":null}`, "the item's field a is null"},
		{[]string{"{.a}"}, `{"b":1}`, "the item has no field a; its fields are b"},
		// Each argument is short enough, but not all together.
		{strings.Split(strings.Repeat("{} ", 40), " "), strings.Repeat("m", 100<<10), "all arguments and variables are too long together: set WQ_INPUT=stdin"},
	} {
		o := runOne(t, newExec(append([]string{"true"}, test.args...)...), test.payload)
		if o.Outcome != queue.OutcomeDead || !strings.Contains(o.Reason, test.want) || len(o.Reason) > 500 {
			t.Errorf("%q, %.40q: %.500v", test.args, test.payload, o)
		}
		if nothing := runOne(t, &Exec{Command: newExec("true").Command, Stdin: true}, test.payload); nothing.Outcome != queue.OutcomeDone {
			t.Errorf("%.40q on standard input: %.500v", test.payload, nothing)
		}
	}
}

// TestEveryFieldArrives: whatever the names and texts of a table's fields, each arrives byte for byte as an argument and as a variable, or the table or
// the item is refused.
func TestEveryFieldArrives(t *testing.T) {
	character := rapid.OneOf(rapid.SampledFrom([]rune("aAbB _-.#{}\"\\/$()'\n,é名\x00\ufffd\x7f=")), rapid.Rune())
	short := rapid.StringOfN(character, 0, 6, -1)
	size := rapid.SampledFrom([]int{1, 1, 1, 1, 1, 1, 1, 1, 30_000})
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(short, 1, 5, rapid.ID[string]).Draw(t, "names")
		object := map[string]string{}
		args := []string{"sh", "-c", `printf '%s\0' "$@"; exec env -0`, "sh"}
		clean, variables := true, map[string]string{}
		for _, name := range names {
			text := strings.Repeat(short.Draw(t, "text"), size.Draw(t, "size"))
			quoted, err := json.Marshal(name)
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, "{."+string(quoted)+"}")
			object[name] = text
			variable := fields.VariableName(name)
			_, twice := variables[variable]
			variables[variable] = text
			clean = clean && !twice && !strings.Contains(text, "\x00") && len(text) < 60_000
		}
		if err := fields.Command(args).Check(); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		payload, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		e := newExec(args...)
		e.Results, e.ResultBytes = true, 10<<20
		var a Attempt
		e.Handle(context.Background(), []queue.Item{{ID: "1", Payload: string(payload)}}, func(_ int, attempt Attempt) { a = attempt })
		if a.Outcome == queue.OutcomeDead && a.Reason != "" && (!clean || len(payload) > maxArgument-8) {
			return
		}
		if a.Outcome != queue.OutcomeDone {
			t.Fatalf("%q: %+v", object, a)
		}
		got := strings.Split(a.Output, "\x00")
		for i, name := range names {
			if got[i] != object[name] {
				t.Errorf("the field %q is %q as an argument, and not %q", name, got[i], object[name])
			}
			if variable := fields.VariableName(name) + "=" + object[name]; !slices.Contains(got, variable) {
				t.Errorf("there is no variable %q in %q", variable, got)
			}
		}
	})
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
