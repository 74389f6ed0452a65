package queue_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// TestUnique: in a run of unique items no item is there twice, however it came.
func TestUnique(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	push(t, q.NewPusher(), "a") // before anybody knows
	for name, items := range map[string][]string{"first": {"a", "b"}, "second": {"b", "c"}} {
		seeder := q.NewSeeder(name)
		seeder.Unique = true
		publish := func() (bool, error) {
			for _, item := range items {
				must(t, seeder.Add(t.Context(), item))
			}
			published, _, err := seeder.Publish(t.Context(), false)
			return published, err
		}
		if published, err := publish(); err != nil { // Redis has learnt only now of the item that was pushed
			must(t, seeder.Close(t.Context()))
			seeder = q.NewSeeder(name)
			seeder.Unique = true
			if published, err = publish(); err != nil || !published {
				t.Fatalf("seed %s: published %v, %v", name, published, err)
			}
		} else if !published {
			t.Fatalf("seed %s was not published", name)
		}
	}
	push(t, q.NewPusher(), "c", "d", "a")
	session := q.NewSession("w", queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 1})
	var got []string
	for {
		reply, err := session.Exchange(t.Context(), queue.Request{Want: 10, Fill: 10})
		must(t, err)
		if reply.Batch == nil {
			break
		}
		for _, item := range reply.Batch.Items {
			got = append(got, item.Payload)
		}
	}
	slices.Sort(got)
	if strings.Join(got, " ") != "a b c d" {
		t.Errorf("the run has %q", got)
	}
}

// TestPushesIntoAFullRedis: items that push items wait for room, and the others are worked off.
func TestPushesIntoAFullRedis(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	q := queue.New(client, "job2")
	seed(t, q, false, "pushes", "plain")
	session := q.NewSession("w", queue.Limits{Lease: time.Minute, BatchBytes: 1, MaxCrashes: 1}) // an item a batch
	var batches []string
	for range 2 {
		reply, err := session.Exchange(t.Context(), queue.Request{Want: 1})
		must(t, err)
		batches = append(batches, reply.Batch.ID)
	}
	request := queue.Request{Reports: []queue.Report{
		{Batch: batches[0], Release: true, Done: 1, Outcomes: []queue.ItemOutcome{{Outcome: queue.OutcomeDone, Push: []string{"new"}}}},
		{Batch: batches[1], Release: true, Done: 1},
	}}
	must(t, client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	reply, err := session.Exchange(t.Context(), request)
	must(t, err)
	if _, rolledBack := reply.RolledBack[batches[0]]; !rolledBack || len(reply.RolledBack) != 1 {
		t.Errorf("to be reported again: %v, want %s", reply.RolledBack, batches[0])
	}
	must(t, client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	if c, err := q.Counts(t.Context()); err != nil || c.Done != 1 || c.Ready != 0 {
		t.Errorf("while Redis was full: %+v, %v", c, err)
	}
	request.Reports = request.Reports[:1]
	_, err = session.Exchange(t.Context(), request)
	must(t, err)
	if c, err := q.Counts(t.Context()); err != nil || c.Done != 2 || c.Ready != 1 || !c.Consistent() {
		t.Errorf("with room again: %+v, %v", c, err)
	}
}

func TestPortion(t *testing.T) {
	for _, test := range []struct {
		portion queue.Portion
		of      int
		want    int
	}{
		{queue.Portion{Items: 7}, 3, 7},
		{queue.Portion{Percent: 0.57}, 10000, 57},
		{queue.Portion{Percent: 5}, 199, 9},
		{queue.Portion{Percent: 100}, 3, 3},
	} {
		if got := test.portion.Of(test.of); got != test.want {
			t.Errorf("%v of %d are %d, want %d", test.portion, test.of, got, test.want)
		}
	}
}
