package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

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
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if text, _ = os.ReadFile(path); line.Match(text) {
			return
		}
	}
	ts.Fatalf("not within 30 s: %s has a line that matches %s\n%s", args[0], args[1], text)
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
