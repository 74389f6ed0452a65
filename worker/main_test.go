package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/redistest"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		"worker": func() { os.Exit(run(os.Args[1:])) },
		"get":    get,
	})
}

// buildDir is a folder for programs that several tests run.
var buildDir string

type tests struct{ *testing.M }

// Run runs the tests: many at a time, because they wait more than they compute. -parallel overrides that.
func (m tests) Run() int {
	_ = flag.Set("test.parallel", "8")
	var err error
	if buildDir, err = os.MkdirTemp("", "worker-tests-"); err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(buildDir)
	return m.M.Run()
}

// TestSessions runs the sessions in testdata, each with a Redis of its own.
func TestSessions(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			server := redistest.Start(env.T().(testing.TB))
			env.Setenv("WQ_REDIS_URL", server.URL())
			env.Setenv("WQ_QUEUE", "job2")
			env.Setenv("WQ_HOST", "here")
			env.Setenv("ADDR", redistest.FreeAddr(env.T().(testing.TB)))
			return errors.Join(writeExamples("../docs/stream.md", env.WorkDir), writeExamples("../docs/batch.md", env.WorkDir))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"shows": shows},
	})
}

// shows FILE REGEXP waits until a file, which a program in the background writes, has a line that matches.
func shows(ts *testscript.TestScript, _ bool, args []string) {
	line, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	var text []byte
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if text, _ = os.ReadFile(path); line.Match(text) {
			return
		}
	}
	ts.Fatalf("not within a minute: %s has a line that matches %s\n%s", args[0], args[1], text)
}

// get prints what is at an address: what curl does, where there is one.
func get() {
	response, err := http.Get(os.Args[1])
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	if err == nil {
		_, err = io.Copy(os.Stdout, response.Body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "get:", err)
		os.Exit(1)
	}
}

// codeBlock is a piece of a program in a page, with its language.
var codeBlock = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// writeExamples puts the programs in a page into files: stream.python, stream.sh and so on.
func writeExamples(page, dir string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(page), ".md")
	for _, block := range codeBlock.FindAllSubmatch(text, -1) {
		if err := os.WriteFile(filepath.Join(dir, name+"."+string(block[1])), block[2], 0o600); err != nil {
			return err
		}
	}
	return nil
}

// TestEveryVerbHasHelp: purpose, an example, exit codes and variables, in lines of 80 columns, without any Redis.
func TestEveryVerbHasHelp(t *testing.T) {
	t.Parallel()
	worker, err := exec.LookPath("worker")
	if err != nil {
		t.Fatal(err)
	}
	call := func(code int, args ...string) string {
		t.Helper()
		cmd := exec.Command(worker, args...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "WQ_REDIS_URL=redis://127.0.0.1:1", "WQ_REDIS_UNREACHABLE_TIMEOUT=0s"}
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		_ = cmd.Run()
		if cmd.ProcessState.ExitCode() != code {
			t.Errorf("worker %q: exit code %d, want %d: %s", args, cmd.ProcessState.ExitCode(), code, out.String())
		}
		for line := range strings.Lines(out.String()) {
			if !strings.HasPrefix(line, "worker: ") && utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > helpWidth {
				t.Errorf("worker %q: the line is too long: %s", args, line)
			}
		}
		return out.String()
	}
	for _, v := range verbs {
		help := call(exitOK, "help", v.name)
		for _, args := range [][]string{{v.name, "-h"}, {v.name, "--help"}, {v.name, "x", "--help"}, {"WQ_LOG_LEVEL=debug", v.name, "-h"}} {
			if got := call(exitOK, args...); got != help {
				t.Errorf("worker %q prints %s", args, got)
			}
		}
		for _, part := range []string{"Examples:\n  ", "Exit codes:\n", strings.ToUpper(v.summary[:1]) + v.summary[1:12]} {
			if !strings.Contains(help, part) {
				t.Errorf("the help of %s lacks %q", v.name, part)
			}
		}
		if v.operands == "" {
			call(exitUsage, v.name, "a")
		}
		for _, args := range [][]string{{"--nonesuch"}, {"-x"}, {"a", "b"}, {"a", "--nonesuch"}, {"WQ_FORMAT=csv"}, {"--", "a", "b"}} {
			call(exitUsage, append([]string{v.name}, args...)...)
		}
	}
	short := call(exitUsage)
	if all := call(exitOK, "help"); !strings.HasPrefix(all, short) || call(exitOK, "-h") != all || call(exitOK, "--help") != all {
		t.Errorf("help does not begin with what a bare worker prints: %s", short)
	} else {
		for _, s := range config.All() {
			if strings.Count(all, "\n  "+s.Name+"\n")+strings.Count(all, "\n  "+s.Name+" (") != 1 {
				t.Errorf("help does not have %s once", s.Name)
			}
		}
	}
	if version := call(exitOK, "--version"); !strings.HasPrefix(version, "workqueue worker ") {
		t.Errorf("--version prints %s", version)
	}
	call(exitUsage, "help", "nonesuch")
	call(exitUsage, "--nonesuch")
}

// TestVariablesAreThoseOfTheVerbs: package config has the settings of the verbs, and no others.
func TestVariablesAreThoseOfTheVerbs(t *testing.T) {
	read := map[string]bool{}
	for _, v := range verbs {
		if v.settings != nil {
			for _, s := range config.Of(v.settings()) {
				read[s.Name] = true
			}
		}
	}
	all := config.All()
	for _, s := range all {
		if !read[s.Name] {
			t.Errorf("no verb reads %s", s.Name)
		}
	}
	if len(all) != len(read) {
		t.Errorf("the verbs read %d variables, and config.All has %d", len(read), len(all))
	}
}
