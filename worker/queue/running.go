package queue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Lease is a batch that is with a worker.
type Lease struct {
	Worker  string    // name of the session that holds it
	Since   time.Time // by Redis's clock
	Expires time.Time // if nothing is heard of the worker before
	Items   []Item    // those without an outcome, as far as reported
}

// Running answers what is with workers now: so many batches at most, those whose leases expire first.
func (q *Queue) Running(ctx context.Context, atMost int) ([]Lease, error) {
	reply, err := runningScript.Run(ctx, q.redis, []string{q.key("leases"), q.key("")}, atMost).Slice()
	if err != nil {
		return nil, err
	}
	var leases []Lease
	for ; len(reply) >= 4; reply = reply[4:] {
		id, bitmap := fmt.Sprint(reply[0]), fmt.Sprint(reply[3])
		var values []string
		list, _ := reply[2].([]any)
		for _, value := range list {
			values = append(values, fmt.Sprint(value))
		}
		batch, err := parseBatch(id, values)
		if err != nil {
			return nil, err
		}
		expires, _ := strconv.ParseFloat(fmt.Sprint(reply[1]), 64)
		lease := Lease{Since: batch.Leased, Expires: time.UnixMilli(int64(expires))}
		lease.Worker, _, _ = strings.Cut(id, ":")
		for i, item := range batch.Items {
			if i/8 >= len(bitmap) || bitmap[i/8]>>(i%8)&1 == 0 {
				lease.Items = append(lease.Items, item)
			}
		}
		leases = append(leases, lease)
	}
	return leases, nil
}

// Pause stops the leasing of items until Resume. What is with workers goes on.
func (q *Queue) Pause(ctx context.Context) error {
	return q.redis.HSet(ctx, q.key("state"), "paused", 1).Err()
}

// Resume ends a Pause.
func (q *Queue) Resume(ctx context.Context) error {
	return q.redis.HDel(ctx, q.key("state"), "paused").Err()
}
