package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/workqueue/workqueue/worker/redistest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"worker": func() { os.Exit(run(os.Args[1:])) },
	})
}

// TestSessions runs the sessions in testdata, each with a Redis of its own.
func TestSessions(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			server := redistest.Start(env.T().(testing.TB))
			env.Setenv("WQ_REDIS_URL", server.URL())
			env.Setenv("WQ_QUEUE", "job2")
			env.Setenv("WQ_HOST", "here")
			return errors.Join(writeExamples("../docs/stream.md", env.WorkDir), writeExamples("../docs/batch.md", env.WorkDir))
		},
	})
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
