package queue_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// BenchmarkDrain sets the queue's own calls beside the floor of physics, plain LPOP COUNT of as many items.
func BenchmarkDrain(b *testing.B) {
	ctx := context.Background()
	for _, size := range []int{1, 10, 100, 1000} {
		setup := func(b *testing.B) (*redistest.Server, *queue.Queue) {
			server := redistest.Start(b)
			client := server.Client()
			b.Cleanup(func() { client.Close() })
			q := queue.New(client, "bench")
			seeder := q.NewSeeder("bench")
			for i := range b.N {
				if err := seeder.Add(ctx, fmt.Sprintf("%016d", i)); err != nil {
					b.Fatal(err)
				}
			}
			if _, _, err := seeder.Publish(ctx, true); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			return server, q
		}
		b.Run(fmt.Sprintf("lpop/%d", size), func(b *testing.B) {
			server, _ := setup(b)
			client := server.Client()
			defer client.Close()
			for n := 0; n < b.N; {
				items, err := client.LPopCount(ctx, "bench", size).Result()
				if err != nil {
					b.Fatal(err)
				}
				n += len(items)
			}
		})
		b.Run(fmt.Sprintf("exchange/%d", size), func(b *testing.B) {
			_, q := setup(b)
			session := q.NewSession("bench", queue.Limits{Lease: 30e9, BatchBytes: 4 << 20, MaxCrashes: 3, StopAfter: queue.Portion{Items: 100}})
			request := queue.Request{Want: size}
			for {
				reply, err := session.Exchange(ctx, request)
				if err != nil {
					b.Fatal(err)
				}
				if reply.Status != queue.StatusItems {
					break
				}
				request.Reports = []queue.Report{{Batch: reply.Batch.ID, Release: true, Done: len(reply.Batch.Items)}}
			}
			b.StopTimer()
			counts, err := q.Counts(ctx)
			if err != nil || !counts.Drained() || counts.Done != b.N || !counts.Consistent() {
				b.Fatalf("after %d items: %+v, %v", b.N, counts, err)
			}
		})
	}
}
