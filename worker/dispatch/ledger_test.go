package dispatch_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// scribe is a handler of up to 150,000 items a second in each slot. It writes each item into a file as soon as it has processed it.
type scribe struct {
	ledger  *os.File
	outcome queue.Outcome
}

func (scribe) MaxItems() int { return 500 }

func (s scribe) Handle(_ context.Context, items []queue.Item, report func(int, handler.Attempt)) {
	const together = 150
	for from := 0; from < len(items); from += together {
		time.Sleep(time.Millisecond)
		to := min(from+together, len(items))
		var lines strings.Builder
		for _, item := range items[from:to] {
			fmt.Fprintln(&lines, item.ID, time.Now().UnixMicro())
		}
		_, _ = s.ledger.WriteString(lines.String())
		for i := from; i < to; i++ {
			report(i, handler.Attempt{Outcome: s.outcome, Reason: "as it should be", Result: true, Output: strings.Repeat("x", 100), Started: time.Now()})
		}
	}
}

// TestMain is also the worker process that TestLedger ends.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "scribe" {
		ledger, err := os.OpenFile(os.Args[3], os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			panic(err)
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		w := &dispatch.Worker{Queue: queue.New(redis.NewClient(&redis.Options{Addr: os.Args[2]}), "job2"), Log: slog.New(slog.DiscardHandler), Name: dispatch.NewName("w"),
			Handler: scribe{ledger, queue.Outcome(os.Args[4])},
			Policy: dispatch.Policy{Slots: 2, MaxAttempts: 1, UnreachableTimeout: time.Minute, Grace: 5 * time.Second, History: os.Args[4] == "done",
				Limits: queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3}}}
		_ = w.Run(ctx)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestLedger ends a worker in mid-run whose outcomes have texts. What it had processed three seconds before a SIGKILL is in Redis: that is a second, and two for a busy machine; and
// all of it after a SIGTERM.
func TestLedger(t *testing.T) {
	for _, test := range []struct {
		outcome queue.Outcome
		signal  syscall.Signal
		late    time.Duration // that the queue may be behind the ledger
	}{
		{queue.OutcomeDone, syscall.SIGKILL, 3 * time.Second},
		{queue.OutcomeDead, syscall.SIGKILL, 3 * time.Second},
		{queue.OutcomeDone, syscall.SIGTERM, 0},
	} {
		t.Run(fmt.Sprint(test.outcome, " ", test.signal), func(t *testing.T) {
			server := redistest.Start(t)
			client := server.Client()
			defer client.Close()
			q := queue.New(client, "job2")
			seeder := q.NewSeeder("s")
			for i := range 1000000 {
				if err := seeder.Add(t.Context(), fmt.Sprint(i)); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := seeder.Publish(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			ledger := filepath.Join(t.TempDir(), "ledger")
			worker := exec.Command(os.Args[0], "scribe", client.Options().Addr, ledger, string(test.outcome))
			worker.Stderr = os.Stderr
			if err := worker.Start(); err != nil {
				t.Fatal(err)
			}
			redistest.Eventually(t, "an item is processed", func() error {
				if text, err := os.ReadFile(ledger); err != nil || len(text) == 0 {
					return fmt.Errorf("an empty ledger, %v", err)
				}
				return nil
			})
			time.Sleep(6 * time.Second) // twice as long as outcomes may be held back
			ended := time.Now()
			_ = worker.Process.Signal(test.signal)
			_ = worker.Wait()
			if took := time.Since(ended); took > 10*time.Second {
				t.Errorf("the worker ended %v after the signal", took)
			}

			has := map[string]bool{}
			note := func(r queue.Record) bool { has[r.ItemID] = true; return true }
			var err error
			if test.outcome == queue.OutcomeDead {
				err = q.DeadLetters(t.Context(), note)
			} else {
				err = q.Results(t.Context(), note)
			}
			text, err2 := os.ReadFile(ledger)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			processed, missing, oldest := 0, 0, time.Duration(0)
			for line := range strings.Lines(string(text)) {
				var id string
				var micros int64
				if _, err := fmt.Sscan(line, &id, &micros); err != nil {
					continue // the last line
				}
				processed++
				if age := ended.Sub(time.UnixMicro(micros)); !has[id] {
					oldest = max(oldest, age)
					if age > test.late || test.late == 0 {
						missing++
					}
				}
			}
			t.Logf("%d items processed, %d in Redis, which was %v behind", processed, len(has), oldest.Round(time.Millisecond))
			if missing > 0 {
				t.Errorf("of %d processed items %d are not in Redis, the oldest of them after %v", processed, missing, oldest)
			}
		})
	}
}
