package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/workqueue/workqueue/test/built"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"try": main})
}

// TestSessions runs the sessions in testdata. $FLAGS are the flags that every try takes.
func TestSessions(t *testing.T) {
	flags := flags(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("CHART", flags[1])
			env.Setenv("WORKER", flags[3])
			program, err := exec.LookPath("try")
			if err != nil {
				return err
			}
			env.Setenv("TRY", program)
			return os.Mkdir(filepath.Join(env.WorkDir, "tmp"), 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// appears FILE waits until a file is there.
			"appears": func(ts *testscript.TestScript, _ bool, args []string) {
				eventually(ts, args[0]+" appears", func() error {
					_, err := os.Stat(ts.MkAbs(args[0]))
					return err
				})
			},
			// nothing-left checks that no process and no file of a run is left.
			"nothing-left": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(nothingLeft(ts.MkAbs("tmp"))) },
		},
	})
}

func eventually(ts *testscript.TestScript, what string, check func() error) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not within 30 s: %s: %v", what, err)
		}
	}
}

func flags(t *testing.T) []string {
	t.Helper()
	chart, err := filepath.Abs("../../charts/workqueue")
	if err != nil {
		t.Fatal(err)
	}
	return []string{"-chart", chart, "-worker", built.Worker(t)}
}

// nothingLeft returns an error if a folder of temporary files is not empty, or if a process names it in its arguments or variables.
func nothingLeft(tmp string) error {
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return err
	}
	var left []error
	for _, entry := range entries {
		left = append(left, fmt.Errorf("%s is left", filepath.Join(tmp, entry.Name())))
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, process := range processes {
		arguments, _ := os.ReadFile(process + "/cmdline")
		environment, _ := os.ReadFile(process + "/environ")
		if bytes.Contains(arguments, []byte(tmp)) || bytes.Contains(environment, []byte(tmp)) {
			left = append(left, fmt.Errorf("process %s is left: %q", filepath.Base(process), arguments))
		}
	}
	return errors.Join(left...)
}

// Every values file of the project is tried, or refused with the reason and the way out.
func TestExamples(t *testing.T) {
	const towns = "{apiVersion: v1, kind: ConfigMap, metadata: {name: towns}, data: {towns.txt: \"Rome\\nParis\\nRome\\n\"}}"
	const password = "{apiVersion: v1, kind: Secret, metadata: {name: nightly-redis}, stringData: {password: a $(b) $$c}}"
	cases := map[string]struct {
		also    string // values on top
		objects string
		done    int
		refused string // a regular expression
	}{
		"batch":                {done: 2000},
		"external-redis":       {refused: `^redis\.external: .* in a second values file`},
		"fruits":               {done: 9},
		"items-from-configmap": {objects: towns, done: 3},
		"items-from-csv":       {done: 3},
		"items-from-program":   {also: "itemsFrom: {command: [find, testdata, -type, f]}", done: len(sessions(t))},
		"items-from-volume":    {refused: `volume volume: only .* without a cluster`},
		"items-range":          {done: 501},
		"keda":                 {refused: `^worker\.kind: .* only a cluster can try`},
		"kueue":                {also: "worker: {parallelism: 3}", done: 500},
		"last-step":            {done: 3},
		"monitor":              {also: "{itemsFrom: {range: {end: 4}}}", done: 4},
		"crawler":              {also: "items: [" + site(t) + "]", done: 3},
		"objects":              {done: 5},
		"own-program":          {done: 3},
		"persistent-redis":     {objects: password, done: 100},
		"results":              {done: 4},
		"schedule":             {done: 4},
		"spot":                 {done: 200},
		"stream":               {done: 5},
		"unreliable":           {done: 99},
	}
	examples, err := filepath.Glob("../../values-examples/*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, example := range examples {
		name := strings.TrimSuffix(filepath.Base(example), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, ok := cases[name]
			if !ok {
				t.Fatal("this test has no case for it: add one, with the items that it processes or the reason why it is refused")
			}
			args := append(flags(t), "-objects", file(t, want.objects), example, file(t, want.also))
			tmp := t.TempDir()
			try := exec.CommandContext(t.Context(), "try", args...)
			try.Env = append(os.Environ(), "TMPDIR="+tmp)
			var stdout, stderr strings.Builder
			try.Stdout, try.Stderr = &stdout, &stderr
			err := try.Run()
			if want.refused != "" {
				message, _ := strings.CutPrefix(stderr.String(), "try: ")
				if code := try.ProcessState.ExitCode(); code != 1 || !regexp.MustCompile(want.refused).MatchString(message) {
					t.Errorf("exit code %d, want 1, and a message that matches %q:\n%s", code, want.refused, message)
				}
			} else if done := fmt.Sprintf(`(?m)^test .* done +%d\b`, want.done); err != nil || !regexp.MustCompile(done).MatchString(stdout.String()) {
				t.Errorf("%v, want %d items done:\n%s%s", err, want.done, stdout.String(), stderr.String())
			}
			if err := nothingLeft(tmp); err != nil {
				t.Error(err)
			}
		})
	}
}

// site serves three pages that link to each other, and returns the address of the first.
func site(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, map[string]string{"/": `<a href="a.html">a</a>`, "/a.html": `<a href="/b.html#top">b</a>`, "/b.html": `<a href="/">home</a>`}[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	return server.URL + "/"
}

func sessions(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
