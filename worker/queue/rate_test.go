package queue_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/workqueue/workqueue/worker/queue"
)

// TestRate leases as fast as it can, in several sessions: together they get what the rate and its burst allow, by Redis's clock.
func TestRate(t *testing.T) {
	for name, test := range map[string]struct {
		rate  float64 // items per second
		burst int     // what a second allows, or one item
		items int     // until which to lease
	}{
		"many a second": {rate: 200, burst: 200, items: 400}, // a busy machine still asks faster
		"some a second": {rate: 20, burst: 20, items: 50},
		"few":           {rate: 0.8, burst: 1, items: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, q := seeded(t, numbered(test.items)...)
			limits := limits
			limits.Rate = test.rate
			sessions := []*queue.Session{q.NewSession("a", limits), q.NewSession("b", limits), q.NewSession("c", limits)}
			clock := func() time.Time { return client.Time(t.Context()).Val() }
			began, got, limited := clock(), 0, 0
			for calls := 0; got < test.items; calls++ {
				before := clock()
				reply := exchange(t, sessions[calls%len(sessions)], 40)
				switch reply.Status {
				case queue.StatusItems:
					got += len(reply.Batch.Items)
				case queue.StatusLimited:
					limited++
					c, err := q.Counts(t.Context())
					must(t, err)
					if !c.Limited.After(before) {
						t.Errorf("an item is allowed again at %v, in the past of %v", c.Limited, before)
					}
					if next := time.Duration(float64(time.Second) / test.rate); reply.Wait > next+10*time.Millisecond {
						t.Errorf("another item is allowed in %v, although the rate is one in %v", reply.Wait, next)
					}
					time.Sleep(min(reply.Wait, 20*time.Millisecond))
				default:
					t.Fatalf("status %s after %d items", reply.Status, got)
				}
				if most := test.burst + int(test.rate*clock().Sub(began).Seconds()) + 1; got > most {
					t.Fatalf("%d items after %v, where %d are allowed", got, clock().Sub(began), most)
				}
			}
			if limited == 0 {
				t.Error("nobody was held back")
			}
			if took, least := clock().Sub(began), float64(test.items-test.burst)/test.rate; took.Seconds() < least-0.01 {
				t.Errorf("%d items took %v, less than %.2f s", got, took, least)
			}
		})
	}
}

// TestRateAtTheEnd has nothing left that the rate could hold back: the run drains, and nobody waits for an allowance.
func TestRateAtTheEnd(t *testing.T) {
	_, q := seeded(t, "a")
	limits := limits
	limits.Rate = 0.001
	s := q.NewSession("w", limits)
	first := exchange(t, s, 1)
	if other := exchange(t, q.NewSession("x", limits), 1); other.Status != queue.StatusWait {
		t.Errorf("while the only item runs, the status is %s", other.Status)
	}
	if last := exchange(t, s, 1, allDone(first.Batch)); last.Status != queue.StatusDrained {
		t.Errorf("after the only item, the status is %s", last.Status)
	}
}

// TestRateStarts waits for one interval, to the microsecond, at every rate that can be written: that is enough for an item.
func TestRateStarts(t *testing.T) {
	ctx := context.Background()
	client, q := seeded(t, numbered(100_000)...)
	limits := limits
	session := 0
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.SampledFrom([]int{1, 60, 3600, 86400}).Draw(t, "seconds")
		items := rapid.OneOf(rapid.Float64Range(0.001, 5000), rapid.Map(rapid.IntRange(1, 4000), func(n int) float64 { return float64(n) })).Draw(t, "items")
		limits.Rate = items / float64(seconds)
		session++
		s := q.NewSession(fmt.Sprint("w", session), limits)
		defer func() { must(t, s.Close(ctx, "")) }()
		// One interval ago, rounded up, the allowance was used up. It may have been so long before, or by a clock that was ahead.
		interval := int64(math.Ceil(1e6 / limits.Rate))
		for name, used := range map[string]int64{"an interval ago": interval, "long ago": 100*interval + 1e9} {
			must(t, client.HSet(ctx, "{job2}:state", "used_until", client.Time(ctx).Val().UnixMicro()-used).Err())
			reply, err := s.Exchange(ctx, queue.Request{Want: 1})
			must(t, err)
			if reply.Status != queue.StatusItems {
				t.Fatalf("%s the rate was used up, now the status is %s", name, reply.Status)
			}
			_, err = s.Exchange(ctx, queue.Request{Reports: []queue.Report{allDone(reply.Batch)}})
			must(t, err)
		}
		must(t, client.HSet(ctx, "{job2}:state", "used_until", client.Time(ctx).Val().UnixMicro()+3600e6).Err())
		reply, err := s.Exchange(ctx, queue.Request{Want: 1})
		must(t, err)
		if most := time.Duration(interval)*time.Microsecond + 10*time.Millisecond; reply.Wait > most {
			t.Fatalf("an hour was used up ahead, and the next item may start in %v, not %v", reply.Wait, most)
		}
	})
}
