package main

import (
	"os"
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
			return nil
		},
	})
}
