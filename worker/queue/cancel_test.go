package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// TestTwoCancels cancels by two patterns at once. Whichever returns no error must have left nothing that matches.
func TestTwoCancels(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	refused := 0
	for round := range 8 {
		q := queue.New(client, fmt.Sprintf("q%d", round))
		var items []string
		for i := range 10000 {
			items = append(items, fmt.Sprintf("item-%d", i))
		}
		seed(t, q, false, items...)
		ends := map[string]chan error{"3": make(chan error, 1), "7": make(chan error, 1)}
		for digit, end := range ends {
			go func() {
				end <- q.Cancel(t.Context(), func(payload string) bool { return strings.HasSuffix(payload, digit) }, queue.Cap{Records: 100})
			}()
		}
		for digit, end := range ends {
			err := <-end
			if errors.Is(err, queue.ErrCancelling) {
				refused++
				continue
			}
			must(t, err)
			for _, payload := range client.LRange(t.Context(), q.Name, 0, -1).Val() {
				if strings.HasSuffix(payload, digit) {
					t.Fatalf("round %d: %s is left, though the cancel of what ends in %s has succeeded", round, payload, digit)
				}
			}
		}
		if c, err := q.Counts(t.Context()); err != nil || !c.Consistent() {
			t.Fatalf("round %d: the accounts do not balance: %+v, %v", round, c, err)
		}
	}
	t.Logf("%d of 16 were refused", refused)
}

// TestCancelReadsLittleAtOnce: small items are no reason to read many large ones in one call.
func TestCancelReadsLittleAtOnce(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	items := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	large := strings.Repeat("x", 1<<20)
	for range 60 {
		items = append(items, large)
	}
	seed(t, q, false, items...)
	must(t, client.ConfigSet(t.Context(), "slowlog-log-slower-than", "0").Err())
	must(t, client.ConfigResetStat(t.Context()).Err())
	must(t, q.Cancel(t.Context(), func(payload string) bool { return payload == "j" }, queue.Cap{}))
	calls := client.Info(t.Context(), "commandstats").Val()
	var n int
	for _, line := range strings.Split(calls, "\r\n") {
		if _, err := fmt.Sscanf(line, "cmdstat_evalsha:calls=%d", &n); err == nil {
			break
		}
	}
	// Each pair of calls moves four large items at most.
	if n < 2*60/4 {
		t.Errorf("60 MiB were read in %d calls", n)
	}
	if c, err := q.Counts(t.Context()); err != nil || c.Cancelled != 1 || c.Ready != 69 {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestCancelOfLostData: a list that Redis has lost is no reason to wait for it.
func TestCancelOfLostData(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	seed(t, q, false, "a", "b")
	seeder := q.NewSeeder("second")
	must(t, seeder.Add(t.Context(), "c"))
	_, _, err := seeder.Publish(t.Context(), false)
	must(t, err)
	must(t, client.Del(t.Context(), "{job2}:joining:second").Err())
	if err := q.Cancel(t.Context(), func(string) bool { return true }, queue.Cap{}); !errors.Is(err, queue.ErrVanished) {
		t.Errorf("got %v", err)
	}
}

// TestCancelKeepsTheExpiry: what is cancelled in a stopped run that all workers have left expires with the rest of it.
func TestCancelKeepsTheExpiry(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	seed(t, q, true, "a", "b", "c", "d")
	session := q.NewSession("w", queue.Limits{Lease: time.Minute, BatchBytes: 1, MaxCrashes: 1, StopAfter: queue.Portion{Items: 1}, Retention: time.Hour})
	reply := exchange(t, session, 1)
	dead := queue.Report{Batch: reply.Batch.ID, Release: true, Outcomes: []queue.ItemOutcome{{Outcome: queue.OutcomeDead}}}
	if reply = exchange(t, session, 1, dead); reply.Status != queue.StatusStopped {
		t.Fatalf("status %s", reply.Status)
	}
	must(t, session.Close(t.Context(), ""))
	must(t, q.Cancel(t.Context(), func(string) bool { return true }, queue.Cap{}))
	for _, key := range client.Keys(t.Context(), "*").Val() {
		if client.PTTL(t.Context(), key).Val() <= 0 && key != "{job2}:state" {
			t.Errorf("%s never expires", key)
		}
	}
}
