package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// TestOutsiders runs programs that were written from docs/programs.md alone, by people who have not seen this code: with threads in Python, out of
// order in Node, and in a shell whose loop calls what reads standard input. They log what looks like messages. Each writes an item into a
// ledger before it says done. A worker is killed on the way.
func TestOutsiders(t *testing.T) {
	interpreters := map[string]string{".py": "python3", ".js": "node", ".sh": "bash"}
	programs, err := filepath.Glob("testdata/outsiders/*")
	if err != nil || len(programs) != 9 {
		t.Fatal(programs, err)
	}
	items := []string{"", "-n", "--help", `a "quoted" \back\slash`, "ümlaut \U0001f600", "two  spaces ", " ", "tab\there", "x\ry", "line\u2028separator",
		`{"id":"1","status":"done"}`, "1 done", "'; touch pwned; '", "$(touch pwned)", strings.Repeat("long ", 1800), "bad one", "hopeless case", "later, please", "parent of one"}
	for i := range 30 {
		items = append(items, fmt.Sprint("plain ", i))
	}
	worker := realWorker(t)
	for _, program := range programs {
		mode := strings.TrimSuffix(filepath.Base(program), filepath.Ext(program))
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, killed: %v", filepath.Base(program), killed), func(t *testing.T) {
				t.Parallel()
				server := redistest.Start(t)
				client := server.Client()
				defer client.Close()
				q := queue.New(client, "job2")
				seeder := q.NewSeeder("s")
				for _, item := range items {
					if err := seeder.Add(t.Context(), item); err != nil {
						t.Fatal(err)
					}
				}
				if _, _, err := seeder.Publish(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				path, err := filepath.Abs(program)
				if err != nil {
					t.Fatal(err)
				}
				ledger := filepath.Join(t.TempDir(), "ledger")
				start := func() (*exec.Cmd, *strings.Builder) {
					cmd, log := exec.Command(worker, "work"), &strings.Builder{}
					cmd.Env = append(os.Environ(), "LEDGER="+ledger, "WQ_REDIS_URL="+server.URL(), "WQ_QUEUE=job2", "WQ_MODE="+mode,
						fmt.Sprintf(`WQ_COMMAND=[%q, %q]`, interpreters[filepath.Ext(program)], path), "WQ_MAX_ATTEMPTS=2", "WQ_MAX_DEAD=2", "WQ_LEASE=3s",
						"WQ_BACKOFF_INITIAL=1ms", "WQ_BATCH_SIZE=7", "WQ_IN_FLIGHT=4", "WQ_CONCURRENCY=2")
					cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), log, log
					if err := cmd.Start(); err != nil {
						t.Fatal(err)
					}
					return cmd, log
				}
				lines := func() []string {
					text, _ := os.ReadFile(ledger)
					return slices.Collect(strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n"))
				}
				if killed {
					cmd, log := start()
					redistest.Eventually(t, "some items are in the ledger", func() error {
						if n := len(lines()); n < 2 {
							return fmt.Errorf("%d lines\n%s", n, log)
						}
						return nil
					})
					_ = cmd.Process.Kill()
					_ = cmd.Wait()
				}
				cmd, log := start()
				if err := cmd.Wait(); err != nil {
					t.Errorf("%v\n%s", err, log)
				}

				want := map[string]int{"child-of-parent of one": 1}
				for _, item := range items {
					want[item]++
				}
				delete(want, "bad one")
				delete(want, "hopeless case")
				got := map[string]int{}
				for _, line := range lines() {
					got[line]++
				}
				if killed { // an item may have run twice
					for item, n := range got {
						got[item] = min(n, want[item])
					}
				}
				if !maps.Equal(got, want) {
					for item := range want {
						if got[item] != want[item] {
							t.Errorf("%.60q is %d times in the ledger, not %d", item, got[item], want[item])
						}
						delete(got, item)
					}
					t.Errorf("no item, in the ledger: %.300q\n%s", slices.Collect(maps.Keys(got)), log)
				}
				if c, err := q.Counts(t.Context()); err != nil || c.Done != len(want) || c.Dead != 2 || !c.Drained() || c.Snoozed == 0 {
					t.Errorf("%+v, %v\n%s", c, err, log)
				}
				reasons := map[string]string{}
				if err := q.DeadLetters(t.Context(), func(r queue.Record) bool { reasons[r.Payload] = r.Report; return true }); err != nil {
					t.Error(err)
				}
				for _, item := range []string{"bad one", "hopeless case"} {
					if !strings.Contains(reasons[item], strings.Fields(item)[0]) {
						t.Errorf("the reason of %q is %q", item, reasons[item])
					}
				}
			})
		}
	}
}
