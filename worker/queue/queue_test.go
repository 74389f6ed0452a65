package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"pgregory.net/rapid"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

var limits = queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3}

// seeded starts a Redis and a sealed queue on it.
func seeded(t *testing.T, payloads ...string) (*redis.Client, *queue.Queue) {
	t.Helper()
	client := redistest.Start(t).Client()
	t.Cleanup(func() { client.Close() })
	q := queue.New(client, "job2")
	seed(t, q, true, payloads...)
	return client, q
}

func seed(t *testing.T, q *queue.Queue, seal bool, payloads ...string) {
	t.Helper()
	seeder := q.NewSeeder("test")
	for _, p := range payloads {
		must(t, seeder.Add(t.Context(), p))
	}
	_, _, err := seeder.Publish(t.Context(), seal)
	must(t, err)
}

func numbered(n int) (payloads []string) {
	for i := range n {
		payloads = append(payloads, fmt.Sprint("item ", i+1))
	}
	return payloads
}

func exchange(t *testing.T, s *queue.Session, want int, reports ...queue.Report) queue.Reply {
	t.Helper()
	reply, err := s.Exchange(t.Context(), queue.Request{Want: want, Reports: reports})
	must(t, err)
	return reply
}

// allDone reports a batch whose items are all done.
func allDone(b *queue.Batch) queue.Report {
	return queue.Report{Batch: b.ID, Release: true, Done: len(b.Items)}
}

// ttl returns the keys of the queue that expire, and those that stay.
func ttl(t *testing.T, client *redis.Client) (expire, stay []string) {
	t.Helper()
	client.Del(t.Context(), "{job2}:bell") // it is for a second
	for _, key := range client.Keys(t.Context(), "*").Val() {
		if client.PTTL(t.Context(), key).Val() > 0 {
			expire = append(expire, key)
		} else {
			stay = append(stay, key)
		}
	}
	slices.Sort(expire)
	slices.Sort(stay)
	return expire, stay
}

// TestRecordsExpire: in a Redis that is shared, the records of items must not stay for ever after the end, nor go before. What
// stays is small, and enough to neither seed the run again nor wait for it.
func TestRecordsExpire(t *testing.T) {
	client, q := seeded(t, "apple", "pear")
	keep := limits
	keep.Retention = time.Hour
	s := q.NewSession("w", keep)
	batch := exchange(t, s, 1).Batch
	if expire, _ := ttl(t, client); len(expire) > 0 {
		t.Fatalf("expiring in the middle of a run: %v", expire)
	}
	reply := exchange(t, s, 1, queue.Report{Batch: batch.ID, Release: true,
		Outcomes: []queue.ItemOutcome{{Outcome: queue.OutcomeDead, Text: "{}"}}})
	if reply := exchange(t, s, 1, allDone(reply.Batch)); reply.Status != queue.StatusDrained {
		t.Fatalf("status %s after the last item", reply.Status)
	}
	expire, stay := ttl(t, client)
	if !slices.Equal(expire, []string{"{job2}:dead", "{job2}:workers"}) || !slices.Equal(stay, []string{"{job2}:state"}) {
		t.Fatalf("after the end %v expire and %v stay", expire, stay)
	}

	client.Del(t.Context(), expire...) // the retention is over
	if bytes := client.MemoryUsage(t.Context(), "{job2}:state").Val(); bytes > 512 {
		t.Errorf("a run that has ended takes %d bytes", bytes)
	}
	if published, items, err := q.NewSeeder("test").Publish(t.Context(), true); published || items != 2 || err != nil {
		t.Errorf("seeded again: %v, %d items, %v", published, items, err)
	}
	if reply := exchange(t, q.NewSession("later", keep), 1); reply.Status != queue.StatusDrained {
		t.Errorf("a worker made later finds the run %s", reply.Status)
	}
	counts, err := q.Counts(t.Context())
	must(t, err)
	if counts.Done != 1 || counts.Dead != 1 || !counts.Drained() || !counts.Consistent() {
		t.Errorf("counts %+v", counts)
	}

	// A late push makes it a queue again.
	push(t, q.NewPusher(), "late")
	if expire, _ := ttl(t, client); len(expire) > 1 || strings.Contains(strings.Join(expire, ""), "dead") {
		t.Fatalf("expiring though an item was pushed: %v", expire)
	}
	if reply := exchange(t, s, 1); reply.Batch == nil {
		t.Fatalf("a pushed item is not leased: %+v", reply)
	}
	if expire, _ := ttl(t, client); len(expire) > 1 || strings.Contains(strings.Join(expire, ""), "dead") {
		t.Fatalf("expiring though the run goes on: %v", expire)
	}
}

// TestUnfinishedRunStays: a run that its workers leave in the middle is kept, whether for an hour or a year, and so is what was seeded.
func TestUnfinishedRunStays(t *testing.T) {
	client, q := seeded(t, numbered(10)...)
	keep := limits
	keep.Retention = time.Hour
	s := q.NewSession("w", keep)
	batch := exchange(t, s, 1).Batch
	returned := queue.ItemOutcome{Outcome: queue.OutcomeReturned}
	exchange(t, s, 0, queue.Report{Batch: batch.ID, Release: true, Outcomes: []queue.ItemOutcome{returned}})
	must(t, s.Close(t.Context(), ""))
	if expire, _ := ttl(t, client); len(expire) > 0 {
		t.Errorf("%v expire though the run has no end", expire)
	}
}

// TestStoppedRunExpires: a run that was stopped early has ended. Its items expire after the retention, unless somebody goes on with it;
// who comes later still is told that they are lost.
func TestStoppedRunExpires(t *testing.T) {
	client, q := seeded(t, numbered(10)...)
	keep := limits
	keep.Retention, keep.StopAfter = time.Hour, queue.Portion{Items: 1}
	first, second := q.NewSession("first", keep), q.NewSession("second", keep)
	one, other := exchange(t, first, 1).Batch, exchange(t, second, 1).Batch
	dead := queue.Report{Batch: one.ID, Release: true, Outcomes: []queue.ItemOutcome{{Outcome: queue.OutcomeDead, Text: "{}"}}}
	if reply := exchange(t, first, 1, dead); reply.Status != queue.StatusStopped {
		t.Fatalf("status %s", reply.Status)
	}
	must(t, first.Close(t.Context(), ""))
	if expire, _ := ttl(t, client); len(expire) > 0 {
		t.Errorf("%v expire while another worker has an item", expire)
	}
	exchange(t, second, 0, allDone(other))
	must(t, second.Close(t.Context(), ""))
	expire, stay := ttl(t, client)
	if !slices.Equal(stay, []string{"{job2}:state"}) || !slices.Contains(expire, "job2") {
		t.Fatalf("left by all workers, %v expire and %v stay", expire, stay)
	}
	exchange(t, q.NewSession("third", keep), 0)
	if expire, _ := ttl(t, client); len(expire) > 0 {
		t.Errorf("%v expire though a worker is there again", expire)
	}
	client.Del(t.Context(), expire...) // the retention was over before
	if _, err := q.NewSession("fourth", keep).Exchange(t.Context(), queue.Request{Want: 1}); !errors.Is(err, queue.ErrVanished) {
		t.Errorf("a worker that comes after the retention gets %v", err)
	}
	if published, _, err := q.NewSeeder("test").Publish(t.Context(), true); published || err != nil {
		t.Errorf("it was seeded again: %v, %v", published, err)
	}
}

// TestResultsAreCapped: what is dropped is counted.
func TestResultsAreCapped(t *testing.T) {
	_, q := seeded(t, numbered(30)...)
	capped := limits
	capped.Kept.Records = 10
	s := q.NewSession("w", capped)
	for range 30 {
		reply := exchange(t, s, 1)
		exchange(t, s, 0, queue.Report{Batch: reply.Batch.ID, Release: true, Done: 1,
			Outcomes: []queue.ItemOutcome{{Outcome: queue.OutcomeDone, Text: "text"}}})
	}
	var kept []string
	must(t, q.Results(t.Context(), func(r queue.Record) bool { kept = append(kept, r.Payload); return true }))
	counts, err := q.Counts(t.Context())
	must(t, err)
	if len(kept) != 10 || kept[0] != "item 21" || counts.ResultsDropped != 20 || counts.Done != 30 {
		t.Errorf("kept %v, counts %+v", kept, counts)
	}
}

// TestResultsAreCappedByBytes: the newest that fit are kept, and the others are counted, whatever their sizes.
func TestResultsAreCappedByBytes(t *testing.T) {
	client := redistest.Start(t).Client()
	t.Cleanup(func() { client.Close() })
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(1, 5000), 1, 40).Draw(rt, "sizes")
		most := rapid.IntRange(1, 100_000).Draw(rt, "bytes")
		runs++
		q := queue.New(client, fmt.Sprintf("run %d", runs))
		seed(t, q, true, numbered(len(sizes))...)
		capped := limits
		capped.Kept.Bytes = most
		s := q.NewSession("w", capped)
		largest := 0
		for _, size := range sizes {
			largest = max(largest, size+200)
			reply := exchange(t, s, 1)
			exchange(t, s, 0, queue.Report{Batch: reply.Batch.ID, Release: true, Done: 1,
				Outcomes: []queue.ItemOutcome{{Outcome: queue.OutcomeDone, Text: strings.Repeat("x", size)}}})
		}
		kept := 0
		must(t, q.Results(t.Context(), func(queue.Record) bool { kept++; return true }))
		counts, err := q.Counts(t.Context())
		must(t, err)
		if kept+counts.ResultsDropped != len(sizes) || kept == 0 {
			rt.Fatalf("%d kept and %d dropped of %d", kept, counts.ResultsDropped, len(sizes))
		}
		total := 0
		for i, size := range sizes {
			total += size + 140 + len(fmt.Sprint("item ", i+1))
		}
		if total <= most && kept < len(sizes) {
			rt.Fatalf("%d of %d results are dropped though all %d bytes fit into %d", counts.ResultsDropped, len(sizes), total, most)
		}
		if kept*largest < min(total, most)/4 && kept*2 < len(sizes) {
			rt.Fatalf("only %d of %d are kept of %d bytes", kept, len(sizes), most)
		}
	})
}

// TestBatchBytes: a few huge payloads must not make one huge reply.
func TestBatchBytes(t *testing.T) {
	big := strings.Repeat("x", 300<<10)
	_, q := seeded(t, slices.Repeat([]string{big}, 60)...)
	s := q.NewSession("w", limits)
	reply := exchange(t, s, 50)
	if n := len(reply.Batch.Items); n > 16 {
		t.Errorf("a batch of %d items of 300 KiB with a cap of 1 MiB", n)
	}
	small := limits
	small.BatchBytes = 1000
	_, q = seeded(t, numbered(2000)...)
	reply = exchange(t, q.NewSession("w", small), 1000)
	if n := len(reply.Batch.Items); n < 90 || n > 160 {
		t.Errorf("a batch of %d items of 8 or 9 bytes with a cap of 1000 bytes", n)
	}
}

// TestLargeBatches passes the sizes at which Lua's unpack and Redis's argument lists have their limits.
func TestLargeBatches(t *testing.T) {
	_, q := seeded(t, numbered(20000)...)
	s := q.NewSession("w", limits)
	reply := exchange(t, s, 100000)
	if n := len(reply.Batch.Items); n != 5000 {
		t.Fatalf("leased %d, want the cap of 5000", n)
	}
	// All of them are returned, and come again.
	report := queue.Report{Batch: reply.Batch.ID, Release: true}
	for i := range reply.Batch.Items {
		report.Outcomes = append(report.Outcomes, queue.ItemOutcome{Position: i, Outcome: queue.OutcomeReturned})
	}
	again := exchange(t, s, 100000, report)
	if again = exchange(t, s, 100000, allDone(again.Batch)); again.Batch == nil { // due and fresh items alternate
		t.Fatal("nothing leased")
	}
	if n := len(again.Batch.Items); n < 4000 || again.Batch.Items[0].Attempts != 0 {
		t.Errorf("of 5000 items returned %d came again, the first as %+v", n, again.Batch.Items[0])
	}
}

// TestWrongType: a key that is no list is refused by name before anything has changed.
func TestWrongType(t *testing.T) {
	client, q := seeded(t, "apple")
	must(t, client.Del(t.Context(), "job2").Err())
	must(t, client.HSet(t.Context(), "job2", "field", "value").Err())
	before := client.HGetAll(t.Context(), "{job2}:state").Val()
	_, err := q.NewSession("w", limits).Exchange(t.Context(), queue.Request{Want: 1})
	if err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("error %v, want WRONGTYPE", err)
	}
	if after := client.HGetAll(t.Context(), "{job2}:state").Val(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the state changed from %v to %v", before, after)
	}
}

// TestOutOfMemory: a full Redis takes no more items, but those that it has are worked off.
func TestOutOfMemory(t *testing.T) {
	client, q := seeded(t, numbered(100)...)
	must(t, client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	if _, err := q.NewPusher().Push(t.Context(), "more"); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("a push returned %v, want OOM", err)
	}
	s := q.NewSession("w", limits)
	failed := 0
	for reply := exchange(t, s, 10); reply.Status != queue.StatusDrained; {
		report := allDone(reply.Batch)
		report.Done--
		report.Outcomes = []queue.ItemOutcome{{Position: 0, Outcome: queue.OutcomeDead, Text: "{}"}}
		failed++
		reply = exchange(t, s, 10, report)
	}
	counts, err := q.Counts(t.Context())
	must(t, err)
	if counts.Dead != failed || counts.Done != 100-failed || !counts.Drained() {
		t.Errorf("after %d dead of 100 the counts are %+v", failed, counts)
	}
}

// TestVanished: an emptied or replaced Redis is never taken for a drained queue.
func TestVanished(t *testing.T) {
	for name, lose := range map[string]func(*redis.Client){
		"emptied": func(c *redis.Client) { c.FlushAll(context.Background()) },
		"another run": func(c *redis.Client) {
			c.FlushAll(context.Background())
			_, _, _ = queue.New(c, "job2").NewSeeder("other").Publish(context.Background(), true)
		},
		"list gone":   func(c *redis.Client) { c.Del(context.Background(), "job2") },
		"list popped": func(c *redis.Client) { c.LPop(context.Background(), "job2") },
	} {
		t.Run(name, func(t *testing.T) {
			client, q := seeded(t, numbered(10)...)
			s := q.NewSession("w", limits)
			exchange(t, s, 1)
			lose(client)
			if reply, err := s.Exchange(t.Context(), queue.Request{Want: 1}); !errors.Is(err, queue.ErrVanished) {
				t.Errorf("reply %+v, error %v; want ErrVanished", reply, err)
			}
		})
	}
}

// TestPurge deletes one queue, whatever its name, and no other.
func TestPurge(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	for _, name := range []string{"job2", "job*", "job?", "[job]", `a\b`} {
		q := queue.New(client, name)
		if _, _, err := q.NewSeeder("s").Publish(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		pusher := q.NewPusher()
		push(t, pusher, "x")
		must(t, pusher.Close(t.Context()))
	}
	for i, name := range []string{"job*", "[job]", "job?", `a\b`} {
		deleted, err := queue.New(client, name).Purge(t.Context())
		must(t, err)
		if left, want := client.DBSize(t.Context()).Val(), int64(2*(4-i)); deleted != 2 || left != want {
			t.Errorf("purging %s deleted %d keys, want 2, and left %d, want %d", name, deleted, left, want)
		}
	}
	must(t, client.Set(t.Context(), "{foreign}:state", "x", 0).Err())
	names, err := queue.Names(t.Context(), client)
	must(t, err)
	if !slices.Equal(names, []string{"job2"}) {
		t.Errorf("queues that are left: %q, want job2", names)
	}
}

// TestBroken: a worker that can run no item says so to the run. That goes when another worker starts, or when an item has ended in one that was
// there before.
func TestBroken(t *testing.T) {
	_, q := seeded(t, "apple", "pear")
	broken := func() string {
		counts, err := q.Counts(t.Context())
		must(t, err)
		return counts.Broken
	}
	old := q.NewSession("old", limits)
	batch := exchange(t, old, 1).Batch
	wrong := q.NewSession("wrong", limits)
	exchange(t, wrong, 0)
	must(t, wrong.Close(t.Context(), "cannot run x"))
	if exchange(t, old, 0); broken() != "cannot run x" {
		t.Errorf("broken: %q", broken())
	}
	if exchange(t, old, 0, allDone(batch)); broken() != "" {
		t.Errorf("after an item has ended it is broken: %q", broken())
	}
	must(t, q.NewSession("wrong-too", limits).Close(t.Context(), "cannot run x"))
	if exchange(t, q.NewSession("new", limits), 0); broken() != "" {
		t.Errorf("after another worker has started it is broken: %q", broken())
	}
}

// TestAwaitPush: one push wakes a waiting worker at once, and is still there.
func TestAwaitPush(t *testing.T) {
	client, q := seeded(t)
	woken := make(chan bool)
	go func() {
		pushed, _ := q.AwaitPush(context.Background(), 30*time.Second)
		woken <- pushed
	}()
	for client.ClientList(t.Context()).Val() != "" && !strings.Contains(client.ClientList(t.Context()).Val(), "cmd=blmove") {
		time.Sleep(5 * time.Millisecond)
	}
	push(t, q.NewPusher(), "kiwi", "lime")
	if !<-woken {
		t.Error("a push has not woken it")
	}
	if items := client.LRange(t.Context(), "job2", 0, -1).Val(); !slices.Equal(items, []string{"kiwi", "lime"}) {
		t.Errorf("the list is %v after the wait", items)
	}
}

// TestRunning: who has what, and since when, without what is finished; of much only the beginning.
func TestRunning(t *testing.T) {
	client, q := seeded(t, numbered(40)...)
	s := q.NewSession("host.abc", limits)
	batch, before := exchange(t, s, 20).Batch, 0
	for _, test := range []struct {
		finished []byte
		done     int
		atMost   int
		open     int
		ids      string
	}{
		{nil, 0, 100, 20, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"},
		{[]byte{0b101, 0, 0}, 2, 100, 18, "2 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"},
		{[]byte{0b101, 0, 0}, 0, 5, 18, "2 4 5 6 7"},
		{[]byte{0xff, 0b1, 0}, 7, 3, 11, "10 11 12"},
		{[]byte{0xff, 0xff, 0b111}, 10, 3, 1, "20"},
	} {
		exchange(t, s, 0, queue.Report{Batch: batch.ID, Finished: test.finished, Before: before, Done: test.done})
		before += test.done
		leases, err := q.Running(t.Context(), 100, test.atMost)
		must(t, err)
		if len(leases) != 1 {
			t.Fatalf("%d leases, want 1", len(leases))
		}
		lease, now := leases[0], client.Time(t.Context()).Val()
		var ids []string
		for _, item := range lease.Items {
			ids = append(ids, item.ID)
			if item.Payload != "item "+item.ID {
				t.Errorf("item %s is %q", item.ID, item.Payload)
			}
		}
		if lease.Worker != "host.abc" || lease.Open != test.open || strings.Join(ids, " ") != test.ids {
			t.Errorf("finished %b, at most %d: lease of %s with %d open, items %v; want %d, %s",
				test.finished, test.atMost, lease.Worker, lease.Open, ids, test.open, test.ids)
		}
		if age := now.Sub(lease.Since); age < 0 || age > 30*time.Second || !lease.Expires.After(now) {
			t.Errorf("leased since %v, expires %v, now %v", lease.Since, lease.Expires, now)
		}
	}
}

// TestOutage: while Redis is away nobody can renew a lease, so that must not cost one. But a worker that makes no call while
// others are heard loses its own, and so does one that is not heard after outage upon outage.
func TestOutage(t *testing.T) {
	for _, test := range []struct {
		name   string
		heard  bool // other workers, meanwhile
		times  int
		isLost bool
	}{
		{"Redis is away", false, 1, false},
		{"Redis is away three times", false, 3, true},
		{"one worker is away", true, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, q := seeded(t, numbered(2)...)
			away, other := q.NewSession("away", limits), q.NewSession("other", limits)
			batch := exchange(t, away, 1).Batch
			const long = 10 * time.Minute
			var reply queue.Reply
			for range test.times {
				must(t, client.ZIncrBy(t.Context(), "{job2}:leases", -float64(long.Milliseconds()), batch.ID).Err())
				if !test.heard {
					must(t, client.HIncrBy(t.Context(), "{job2}:state", "last_call", -long.Milliseconds()).Err())
				}
				reply = exchange(t, other, 1)
			}
			if crashed := reply.Batch != nil && reply.Batch.Items[0].Crashes > 0; crashed != test.isLost {
				t.Errorf("the other worker gets %+v", reply.Batch)
			}
			if lost := len(exchange(t, away, 0, allDone(batch)).Lost) > 0; lost != test.isLost {
				t.Errorf("the worker that was away has lost its lease: %v", lost)
			}
		})
	}
}

// TestPause: nothing is leased, nothing is drained, what is leased goes on.
func TestPause(t *testing.T) {
	_, q := seeded(t, numbered(2)...)
	s := q.NewSession("w", limits)
	batch := exchange(t, s, 1).Batch
	must(t, q.Pause(t.Context()))
	// A due item must not make every idle worker call again at once.
	snoozed := queue.ItemOutcome{Outcome: queue.OutcomeSnoozed}
	reply := exchange(t, s, 1, queue.Report{Batch: batch.ID, Release: true, Outcomes: []queue.ItemOutcome{snoozed}})
	if reply.Status != queue.StatusPaused || reply.Wait < time.Second {
		t.Errorf("status %s, wait %v while paused", reply.Status, reply.Wait)
	}
	must(t, q.Resume(t.Context()))
	if reply := exchange(t, s, 1); reply.Batch == nil {
		t.Errorf("nothing is leased after the pause: %+v", reply)
	}
}

// TestIdle lets a session find nothing for an idle slot: those that hold items learn of it, until it has found some.
func TestIdle(t *testing.T) {
	_, q := seeded(t, numbered(2)...)
	holder, idle := q.NewSession("holder", limits), q.NewSession("idle", limits)
	batch := exchange(t, holder, 2).Batch
	exchange(t, holder, 2) // what the first call may have left; no slot is idle
	if exchange(t, holder, 0).Idle {
		t.Error("nobody is idle")
	}
	ask := func() queue.Reply {
		reply, err := idle.Exchange(t.Context(), queue.Request{Want: 1, Idle: true})
		must(t, err)
		return reply
	}
	if reply := ask(); reply.Status != queue.StatusWait || !reply.Idle {
		t.Errorf("%+v", reply)
	}
	back := queue.Report{Batch: batch.ID, Finished: []byte{1}, Outcomes: []queue.ItemOutcome{{Outcome: queue.OutcomeReturned}}}
	if len(batch.Items) == 1 {
		back.Finished, back.Release = nil, true
	}
	if !exchange(t, holder, 0, back).Idle {
		t.Error("a slot is idle, and the holder is not told")
	}
	if reply := ask(); reply.Status != queue.StatusItems || reply.Idle {
		t.Errorf("%+v", reply)
	}
	if exchange(t, holder, 0).Idle {
		t.Error("nobody is idle any more")
	}
}
