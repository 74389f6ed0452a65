package queue

import (
	"context"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Lease is a batch that is with a worker.
type Lease struct {
	Worker  string    // name of the session that holds it
	Since   time.Time // by Redis's clock
	Expires time.Time // unless the worker renews it
	Open    int       // items without an outcome, as far as reported
	Items   []Item    // the first of those
}

// Running returns what workers have now: so many batches at most, those whose leases expire first, and so many of the items
// of each.
func (q *Queue) Running(ctx context.Context, batches, items int) ([]Lease, error) {
	const parts = 6
	reply, err := runningScript.Run(ctx, q.redis, q.keys(), batches, items).Slice()
	if err != nil {
		return nil, err
	}
	var leases []Lease
	for ; len(reply) >= parts; reply = reply[parts:] {
		lease, err := parseLease(reply[:parts])
		if err != nil {
			return nil, err
		}
		lease.Items = lease.Items[:min(items, len(lease.Items))]
		leases = append(leases, lease)
	}
	return leases, nil
}

// parseLease reads one lease of running.lua's reply.
func parseLease(parts []any) (Lease, error) {
	id, finished := fmt.Sprint(parts[0]), fmt.Sprint(parts[3])
	expires, _ := strconv.ParseFloat(fmt.Sprint(parts[1]), 64)
	total, _ := parts[2].(int64)
	first, _ := parts[4].(int64)
	list, _ := parts[5].([]any)
	values := make([]string, len(list))
	for i, value := range list {
		values[i] = fmt.Sprint(value)
	}
	batch, err := parseBatch(id, int(first), values)
	if err != nil {
		return Lease{}, err
	}
	lease := Lease{Since: batch.Leased, Expires: time.UnixMilli(int64(expires)), Open: int(total)}
	lease.Worker, _, _ = strings.Cut(id, ":")
	for i := range len(finished) {
		lease.Open -= bits.OnesCount8(finished[i])
	}
	for i, item := range batch.Items {
		if at := int(first) + i; at/8 >= len(finished) || finished[at/8]>>(at%8)&1 == 0 {
			lease.Items = append(lease.Items, item)
		}
	}
	return lease, nil
}

// Pause stops the leasing of items until Resume. What was leased before goes on.
func (q *Queue) Pause(ctx context.Context) error {
	return q.redis.HSet(ctx, q.key("state"), "paused", 1).Err()
}

// Resume ends a Pause.
func (q *Queue) Resume(ctx context.Context) error {
	return q.redis.HDel(ctx, q.key("state"), "paused").Err()
}
