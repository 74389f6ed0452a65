package queue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// How many records are read in one call: a few at first, then as many as pageBytes hold if they are like the last ones. Each
// may be a large item with a large result.
const (
	firstPage   = 10
	largestPage = 100
	pageBytes   = 4 << 20
)

// Record is a dead letter or a result: an item and what was reported of its last attempt.
type Record struct {
	Key      string // its id in the stream it was read from
	ItemID   string
	Payload  string
	Attempts int    // failed attempts, dead letters only
	Crashes  int    // workers that died while they had it, dead letters only
	Report   string // the text of its last outcome; empty if the item's worker died
}

// Recorded returns when the record was made, by Redis's clock; zero if the key is not one of a stream.
func (r Record) Recorded() time.Time {
	ms, _, _ := strings.Cut(r.Key, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// DeadLetters calls each for every dead letter, oldest first, until each returns false.
func (q *Queue) DeadLetters(ctx context.Context, each func(Record) bool) error {
	return q.records(ctx, "dead", "-", "+", q.redis.XRangeN, each)
}

// LatestDead calls each for every dead letter, latest first, until each returns false. With a key it begins after that one.
func (q *Queue) LatestDead(ctx context.Context, before string, each func(Record) bool) error {
	from := "+"
	if before != "" {
		from = "(" + before
	}
	return q.records(ctx, "dead", from, "-", q.redis.XRevRangeN, each)
}

// Results calls each for every result that was kept, oldest first, until each returns false.
func (q *Queue) Results(ctx context.Context, each func(Record) bool) error {
	return q.records(ctx, "results", "-", "+", q.redis.XRangeN, each)
}

// pageOf reads a page of a stream: XRANGE, or XREVRANGE for the latest first.
type pageOf func(ctx context.Context, stream, from, to string, count int64) *redis.XMessageSliceCmd

func (q *Queue) records(ctx context.Context, stream, from, to string, page pageOf, each func(Record) bool) error {
	for size := firstPage; ; {
		entries, err := page(ctx, q.key(stream), from, to, int64(size)).Result()
		if err != nil {
			return err
		}
		bytes := 0
		for _, entry := range entries {
			r := record(entry)
			if !each(r) {
				return nil
			}
			bytes += len(r.Payload) + len(r.Report)
		}
		if len(entries) < size {
			return nil
		}
		from = "(" + entries[size-1].ID
		size = min(max(pageBytes*size/max(bytes, 1), 1), largestPage)
	}
}

func record(entry redis.XMessage) Record {
	text := func(field string) string { s, _ := entry.Values[field].(string); return s }
	number := func(field string) int { n, _ := strconv.Atoi(text(field)); return n }
	return Record{Key: entry.ID, ItemID: text("id"), Payload: text("item"), Attempts: number("attempts"),
		Crashes: number("crashes"), Report: text("report")}
}

const (
	retryItems = 100       // dead letters in one call of retry.lua, which takes 20 µs for each
	retryBytes = 256 << 10 // after which such a call ends early
)

// Retry puts the dead letters with these keys back into the queue as if they had never been tried. It returns how many went back; those that
// somebody else has already put back are passed over. So after an error, all may be tried again.
func (q *Queue) Retry(ctx context.Context, keys []string) (int, error) {
	back := 0
	for len(keys) > 0 {
		args := []any{retryBytes}
		for _, key := range keys[:min(len(keys), retryItems)] {
			args = append(args, key)
		}
		reply, err := retryScript.Run(ctx, q.redis, q.keys(), args...).Int64Slice()
		if err != nil {
			return back, err
		}
		if len(reply) != 2 || reply[0] < 1 || reply[0] > int64(len(keys)) {
			return back, fmt.Errorf("reply of retry.lua: %v", reply)
		}
		keys = keys[reply[0]:]
		back += int(reply[1])
	}
	return back, nil
}
