package queue_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
)

// expire lets the lease of a batch run out, as if its worker had died.
func expire(t *testing.T, client *redis.Client, batch string) {
	t.Helper()
	must(t, client.ZAddXX(t.Context(), "{job2}:leases", redis.Z{Score: 1, Member: batch}).Err())
}

// TestCrashOnce: the items of a worker that died go back into the queue, in smaller groups, and none runs alone.
func TestCrashOnce(t *testing.T) {
	client, q := seeded(t, numbered(800)...)
	dead, other := q.NewSession("dead", limits), q.NewSession("other", limits)
	batch := exchange(t, dead, 400).Batch
	exchange(t, dead, 0, queue.Report{Batch: batch.ID, Finished: append([]byte{0xff}, make([]byte, 49)...), Done: 8})
	expire(t, client, batch.ID)
	exchange(t, other, 0)
	counts, err := q.Counts(t.Context())
	must(t, err)
	if counts.Delayed != 392 || counts.Suspects != 0 || counts.Expired != 1 {
		t.Fatalf("after one crash: %+v", counts)
	}
	calls, back := 0, 0
	for reply := exchange(t, other, 1000); reply.Status != queue.StatusDrained; calls++ {
		if items := reply.Batch.Items; items[0].Crashes == 1 {
			back += len(items)
			if len(items) > 19 { // the square root of 392
				t.Errorf("%d items that were aboard a crash are leased together", len(items))
			}
		}
		reply = exchange(t, other, 1000, allDone(reply.Batch))
	}
	if back != 392 || calls > 60 {
		t.Errorf("%d items came back, in %d calls", back, calls)
	}
}

// TestPoison: of two hundred items one kills every worker that runs it. It is dead in the end, all others are done, and few of
// them ever ran alone.
func TestPoison(t *testing.T) {
	items := numbered(200)
	client, q := seeded(t, items...)
	const poison = "item 17"
	crashes, alone := 0, 0
	for worker := 0; ; worker++ {
		s := q.NewSession(fmt.Sprint("w", worker), limits)
		reply := exchange(t, s, 1000)
		for reply.Batch != nil && !slices.ContainsFunc(reply.Batch.Items, func(i queue.Item) bool { return i.Payload == poison }) {
			if reply.Batch.Suspect {
				alone++
			}
			reply = exchange(t, s, 1000, allDone(reply.Batch))
		}
		if reply.Batch == nil {
			break
		}
		crashes++
		expire(t, client, reply.Batch.ID)
	}
	counts, err := q.Counts(t.Context())
	must(t, err)
	if crashes != 2+limits.MaxCrashes || alone > 14 || counts.Done != 199 || counts.Dead != 1 || !counts.Drained() {
		t.Errorf("%d crashes, %d healthy items ran alone; counts %+v", crashes, alone, counts)
	}
	must(t, q.DeadLetters(t.Context(), func(r queue.Record) bool {
		if r.Payload != poison || r.Crashes != crashes {
			t.Errorf("dead letter %+v", r)
		}
		return true
	}))
}

// suspects makes n suspects of the first items of the queue.
func suspects(t *testing.T, client *redis.Client, q *queue.Queue, n int) {
	t.Helper()
	for crashes := range 2 {
		s := q.NewSession(fmt.Sprint("crash", crashes), limits)
		var aboard []string
		for have := 0; have < n; {
			batch := exchange(t, s, n-have).Batch
			if batch.Items[0].Crashes != crashes { // due and fresh items alternate
				exchange(t, s, 0, allDone(batch))
				continue
			}
			have += len(batch.Items)
			aboard = append(aboard, batch.ID)
		}
		for _, id := range aboard {
			expire(t, client, id)
			exchange(t, s, 0) // takes it back
		}
	}
	counts, err := q.Counts(t.Context())
	must(t, err)
	if counts.Suspects != n {
		t.Fatalf("%d suspects, want %d; %+v", counts.Suspects, n, counts)
	}
}

// TestSuspectsRunBesideTheOthers: one of eight workers makes itself free for a suspect; the others go on.
func TestSuspectsRunBesideTheOthers(t *testing.T) {
	client, q := seeded(t, numbered(500)...)
	var sessions []*queue.Session
	var held []*queue.Batch
	for i := range 8 { // each holds an item all the time
		s := q.NewSession(fmt.Sprint("w", i), limits)
		sessions, held = append(sessions, s), append(held, exchange(t, s, 1).Batch)
	}
	suspects(t, client, q, 8)
	isolated := -1
	for range 3 {
		for i, s := range sessions {
			reply := exchange(t, s, 1, queue.Report{Batch: held[i].ID})
			switch {
			case reply.Isolate && (isolated < 0 || isolated == i):
				isolated = i
			case reply.Isolate:
				t.Fatalf("workers %d and %d both make themselves free", isolated, i)
			case reply.Batch == nil:
				t.Fatalf("worker %d gets no ordinary item: %+v", i, reply)
			default:
				exchange(t, s, 0, queue.Report{Batch: held[i].ID}, allDone(reply.Batch))
			}
		}
	}
	if isolated < 0 {
		t.Fatal("no worker makes itself free")
	}
	if reply := exchange(t, sessions[isolated], 1, allDone(held[isolated])); reply.Batch == nil || !reply.Batch.Suspect {
		t.Fatalf("the worker that made itself free gets %+v", reply)
	}
	// With eight batches open, a second worker may run one; a third that holds nothing gets an ordinary item.
	for i, want := range []bool{true, false, false} {
		if reply := exchange(t, q.NewSession(fmt.Sprint("free", i), limits), 1); reply.Batch.Suspect != want {
			t.Errorf("free worker %d: suspect %v, want %v", i, reply.Batch.Suspect, want)
		}
	}
}

// TestDueAndFreshAlternate: neither may keep the other from being run.
func TestDueAndFreshAlternate(t *testing.T) {
	_, q := seeded(t, numbered(40)...)
	s := q.NewSession("w", limits)
	var due, fresh int
	snooze := func(b *queue.Batch) (r queue.Report) {
		r = queue.Report{Batch: b.ID, Release: true}
		for i := range b.Items {
			r.Outcomes = append(r.Outcomes, queue.ItemOutcome{Position: i, Outcome: queue.OutcomeSnoozed})
		}
		return r
	}
	for reply := exchange(t, s, 1); due+fresh < 30; reply = exchange(t, s, 1, snooze(reply.Batch)) {
		if reply.Batch.Items[0].Snoozes > 0 {
			due++
		} else {
			fresh++
		}
	}
	if due < 14 || fresh < 14 {
		t.Errorf("of 30 items %d were due and %d fresh", due, fresh)
	}
}

// TestSnoozeLimit: an item that is snoozed too often is dead, and its record says why.
func TestSnoozeLimit(t *testing.T) {
	for _, test := range []struct{ text, record string }{
		{"", "snoozed 3 times, 2 allowed"},
		{`{"reason":"no host"}`, "no host"},
	} {
		_, q := seeded(t, "apple")
		few := limits
		few.MaxSnoozes = 2
		s := q.NewSession("w", few)
		reply := exchange(t, s, 1)
		for snoozes := 0; reply.Batch != nil; snoozes++ {
			if item := reply.Batch.Items[0]; item.Snoozes != snoozes || snoozes > 2 {
				t.Fatalf("%+v after %d snoozes", item, snoozes)
			}
			reply = exchange(t, s, 1, queue.Report{Batch: reply.Batch.ID, Release: true,
				Outcomes: []queue.ItemOutcome{{Outcome: queue.OutcomeSnoozed, Text: test.text}}})
		}
		var records []queue.Record
		must(t, q.DeadLetters(t.Context(), func(r queue.Record) bool { records = append(records, r); return true }))
		if len(records) != 1 || records[0].Attempts != 0 || !strings.Contains(records[0].Report, test.record) {
			t.Errorf("records %+v, want one with %q", records, test.record)
		}
	}
}

// TestFill: two workers with four slots each, which take a hundred at once, lease about as often as xargs -n 100 would.
func TestFill(t *testing.T) {
	_, q := seeded(t, numbered(800)...)
	sizes := []int{}
	for i, want := 0, 400; ; i, want = i+1, 100 {
		s := q.NewSession(fmt.Sprint("w", i), limits)
		reply, err := s.Exchange(t.Context(), queue.Request{Want: want, Fill: 100})
		must(t, err)
		if reply.Batch == nil {
			break
		}
		for n := len(reply.Batch.Items); n > 0; n -= 100 {
			sizes = append(sizes, min(n, 100))
		}
	}
	if len(sizes) > 12 {
		t.Errorf("slots got %v", sizes)
	}
}

// TestSeedJoins: a seed that is published into a queue which is not empty keeps its order, takes no long call, and is all there
// for everybody who counts.
func TestSeedJoins(t *testing.T) {
	client, q := seeded(t, numbered(10)...)
	seeder := q.NewSeeder("second")
	const many = 100_000
	for i := range many {
		must(t, seeder.Add(t.Context(), fmt.Sprint("second ", i)))
	}
	must(t, client.ConfigResetStat(t.Context()).Err())
	if _, _, err := seeder.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	next, order := 0, "item %d"
	s := q.NewSession("w", limits)
	for reply := exchange(t, s, 5000); reply.Status != queue.StatusDrained; {
		for _, item := range reply.Batch.Items {
			if next == 10 && order == "item %d" {
				next, order = 0, "second %d"
			}
			want := fmt.Sprintf(order, next+map[string]int{"item %d": 1}[order])
			if item.Payload != want {
				t.Fatalf("leased %q, want %q", item.Payload, want)
			}
			next++
		}
		counts, err := q.Counts(t.Context())
		must(t, err)
		if !counts.Consistent() || counts.Total() != many+10 {
			t.Fatalf("counts %+v", counts)
		}
		reply = exchange(t, s, 5000, allDone(reply.Batch))
	}
	if next != many {
		t.Errorf("%d items of the second seed were leased", next)
	}
}

// TestPushLeavesNothing: a push that needed no repetition costs no memory when it has ended.
func TestPushLeavesNothing(t *testing.T) {
	client, q := seeded(t)
	for repeat, marks := range []int{0, 1} {
		pusher := q.NewPusher()
		for i := range 20 {
			push(t, pusher, "x")
			if repeat == 1 && i == 10 {
				_, err := pusher.Repeat(t.Context(), "x")
				must(t, err)
			}
		}
		must(t, pusher.Close(t.Context()))
		if keys := client.Keys(t.Context(), "*:push:*").Val(); len(keys) != marks {
			t.Errorf("repeat %d: %v are left", repeat, keys)
		}
	}
	if n := client.LLen(t.Context(), "job2").Val(); n != 40 {
		t.Errorf("%d items in the queue, want 40", n)
	}
}

// TestRetryIsShort: a call that puts dead letters back ends early when they are large.
func TestRetryIsShort(t *testing.T) {
	client, q := seeded(t)
	large := strings.Repeat("x", 200<<10)
	var keys []string
	for i := range 50 {
		keys = append(keys, client.XAdd(t.Context(), &redis.XAddArgs{Stream: "{job2}:dead",
			Values: []any{"id", i, "attempts", 1, "crashes", 0, "item", large, "report", "{}"}}).Val())
	}
	must(t, client.HSet(t.Context(), "{job2}:state", "dead", 50, "taken", 50).Err())
	before := time.Now()
	back, err := q.Retry(t.Context(), append(keys, keys[:10]...))
	must(t, err)
	counts, err := q.Counts(t.Context())
	must(t, err)
	if back != 50 || counts.Dead != 0 || counts.Delayed != 50 || counts.Revived != 50 {
		t.Errorf("%d went back in %v, counts %+v", back, time.Since(before), counts)
	}
}
