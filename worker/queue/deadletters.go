package queue

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// How many records are read in one call: a few at first, then as many as pageBytes hold if they are like the last ones. Each
// may be a large item with a large result.
const (
	firstPage   = 10
	largestPage = 100
	pageBytes   = 4 << 20
)

// Record is an item with what became of it: a dead letter or a result.
type Record struct {
	Key      string // place in the stream it was read from
	ItemID   string
	Payload  string
	Attempts int    // failed attempts, dead letters only
	Crashes  int    // workers that died on it, dead letters only
	Report   string // the text of the verdict; empty if the item's worker died
}

// DeadLetters calls each for every dead letter, oldest first, until it answers false.
func (q *Queue) DeadLetters(ctx context.Context, each func(Record) bool) error {
	return q.records(ctx, "dead", "-", "+", q.redis.XRangeN, each)
}

// LatestDead calls each for every dead letter, latest first, until it answers false. With a key it begins after that one.
func (q *Queue) LatestDead(ctx context.Context, before string, each func(Record) bool) error {
	from := "+"
	if before != "" {
		from = "(" + before
	}
	return q.records(ctx, "dead", from, "-", q.redis.XRevRangeN, each)
}

// Results calls each for every result that was kept, oldest first, until it answers false.
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

// Retry puts dead letters back into the queue as if they had never been tried. It answers how many went back; one that
// somebody else has already put back is passed over.
func (q *Queue) Retry(ctx context.Context, letters []string) (int, error) {
	keys := []string{q.key("state"), q.key("delayed"), q.key("dead"), q.key("results"), q.key("workers")}
	back := 0
	for len(letters) > 0 {
		n := min(len(letters), 1000)
		args := make([]any, n)
		for i, letter := range letters[:n] {
			args[i] = letter
		}
		count, err := retryScript.Run(ctx, q.redis, keys, args...).Int()
		if err != nil {
			return back, err
		}
		back += count
		letters = letters[n:]
	}
	return back, nil
}
