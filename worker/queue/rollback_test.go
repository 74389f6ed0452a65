package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// snapshot returns a function that puts everything back as it is now, as a crash of Redis or a failover does which loses
// the last second.
func snapshot(t *testing.T, client *redis.Client) (rollBack func()) {
	t.Helper()
	ctx := context.Background()
	kept := map[string]string{}
	keys, err := client.Keys(ctx, "*").Result()
	must(t, err)
	for _, key := range keys {
		kept[key], err = client.Dump(ctx, key).Result()
		must(t, err)
	}
	return func() {
		t.Helper()
		must(t, client.FlushAll(ctx).Err())
		for key, value := range kept {
			must(t, client.Restore(ctx, key, 0, value).Err())
		}
	}
}

// TestRollback lets Redis forget a report on a batch that stays open: what the next report builds upon is not there.
func TestRollback(t *testing.T) {
	for name, then := range map[string]queue.Report{
		"and the batch goes on": {Finished: []byte{0b0111}, Before: 2, Done: 1},
		"and the batch ends":    {Release: true, Before: 2, Done: 2},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			client := redistest.Start(t).Client()
			defer client.Close()
			q := queue.New(client, "job2")
			seeder := q.NewSeeder("s")
			for _, p := range []string{"a", "b", "c", "d", "-", "-", "-", "-"} { // half of them is a worker's fair share
				must(t, seeder.Add(ctx, p))
			}
			_, _, err := seeder.Publish(ctx, true)
			must(t, err)
			s := q.NewSession("w", queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3})
			reply, err := s.Exchange(ctx, queue.Request{Want: 4})
			must(t, err)
			id := reply.Batch.ID

			rollBack := snapshot(t, client)
			failed := queue.ItemOutcome{Position: 1, Outcome: queue.OutcomeFailed, Delay: time.Hour}
			_, err = s.Exchange(ctx, queue.Request{Reports: []queue.Report{
				{Batch: id, Finished: []byte{0b0011}, Done: 1, Outcomes: []queue.ItemOutcome{failed}}}})
			must(t, err)
			rollBack()

			then.Batch = id
			reply, err = s.Exchange(ctx, queue.Request{Reports: []queue.Report{then}})
			must(t, err)
			bitmap, rolledBack := reply.RolledBack[id]
			if !rolledBack || len(bitmap) != 0 || len(reply.Lost) > 0 {
				t.Fatalf("the worker was not told what Redis has rolledBack: %+v", reply)
			}
			// So it reports all again.
			then.Before, then.Done, then.Outcomes = 0, then.Done+1, []queue.ItemOutcome{failed}
			reply, err = s.Exchange(ctx, queue.Request{Reports: []queue.Report{then}})
			must(t, err)
			c, err := q.Counts(ctx)
			must(t, err)
			if len(reply.RolledBack) > 0 || c.Done != then.Done || c.Delayed != 1 || !c.Consistent() {
				t.Errorf("%+v, %+v", reply, c)
			}
		})
	}
}
