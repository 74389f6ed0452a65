package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// recording keeps the scripts' calls that go through a client.
type recording struct{ calls [][]any }

func (r *recording) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *recording) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "evalsha" {
			r.calls = append(r.calls, cmds[0].Args())
		}
		return next(ctx, cmds)
	}
}

func (r *recording) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// TestLateCall delivers a call after its repetition and even the next call have arrived, as a connection that was given
// up may do: whatever lies in the buffers on the way arrives some time.
func TestLateCall(t *testing.T) {
	ctx := context.Background()
	client := redistest.Start(t).Client()
	defer client.Close()
	network := &recording{}
	client.AddHook(network)
	q := queue.New(client, "job2")
	push(t, q.NewPusher(), "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p")
	seeder := q.NewSeeder("none")
	_, _, err := seeder.Publish(ctx, true)
	must(t, err)

	s := q.NewSession("w", queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3})
	reply, err := s.Exchange(ctx, queue.Request{Want: 4})
	must(t, err)
	id := reply.Batch.ID
	request := queue.Request{Reports: []queue.Report{{Batch: id, Finished: []byte{1}, Done: 1}}, Want: 1}
	_, err = s.Exchange(ctx, request)
	must(t, err)
	late := network.calls[len(network.calls)-1]
	_, err = s.Exchange(ctx, queue.Request{Reports: []queue.Report{{Batch: id, Finished: []byte{3}, Before: 1, Done: 1}}})
	must(t, err)
	before, err := q.Counts(ctx)
	must(t, err)

	must(t, client.Do(ctx, late...).Err())
	after, err := q.Counts(ctx)
	must(t, err)
	after.Now = before.Now
	if after != before {
		t.Errorf("a late call changed the queue:\nbefore %+v\nafter  %+v", before, after)
	}
}
