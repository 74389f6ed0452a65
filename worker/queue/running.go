package queue

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
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

// WorkerStatuses returns what the workers that live last reported of themselves, by name, of so many workers at most.
func (q *Queue) WorkerStatuses(ctx context.Context, atMost int) (map[string]string, error) {
	const atOnce = 500
	names, err := q.redis.HKeys(ctx, q.key("workers")).Result()
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	statuses := map[string]string{}
	for some := range slices.Chunk(names, atOnce) {
		keys := make([]string, len(some))
		for i, name := range some {
			keys[i] = q.key("w:" + name)
		}
		values, err := q.redis.MGet(ctx, keys...).Result()
		if err != nil {
			return nil, err
		}
		for i, value := range values {
			if status, known := value.(string); known && len(statuses) < atMost { // else the worker was killed
				statuses[some[i]] = status
			}
		}
	}
	return statuses, nil
}

// Settings returns the settings of the worker that started last, "" before.
func (q *Queue) Settings(ctx context.Context) (string, error) { return q.stateField(ctx, "settings") }

func (q *Queue) stateField(ctx context.Context, field string) (string, error) {
	value, err := q.redis.HGet(ctx, q.key("state"), field).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return value, err
}

// Release returns the release that the queue belongs to: that of the worker that started last, or of the seed after it; "" if none has
// said one.
func (q *Queue) Release(ctx context.Context) (string, error) { return q.stateField(ctx, "release") }

// ErrNoQueue is returned when there is no such queue to change.
var ErrNoQueue = errors.New("there is no such queue")

// Pause stops the leasing of items until Resume. What was leased before goes on.
func (q *Queue) Pause(ctx context.Context) error {
	paused, err := pauseScript.Run(ctx, q.redis, q.keys()).Bool()
	if err == nil && !paused {
		return ErrNoQueue
	}
	return err
}

// Resume ends a Pause.
func (q *Queue) Resume(ctx context.Context) error {
	return q.redis.HDel(ctx, q.key("state"), "paused").Err()
}
