package queue

import (
	"cmp"
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

// Record is a dead letter, a result or an entry of the history: an item and what was reported of its last attempt.
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

// Kind is one of the kinds of records that a queue keeps.
type Kind string

// The kinds of records.
const (
	KindDead    Kind = "dead"    // dead letters: one for each dead item
	KindResults Kind = "results" // results of done items, if they have one and it was kept
	KindHistory Kind = "history" // attempts, if they are recorded, and cancelled items
)

// Records is the records of a kind, in the order in which they were recorded.
type Records struct {
	redis redis.UniversalClient
	key   string
}

// Records returns the queue's records of a kind.
func (q *Queue) Records(kind Kind) Records { return Records{q.redis, q.key(string(kind))} }

// DeadLetters calls each for every dead letter, oldest first, until each returns false.
func (q *Queue) DeadLetters(ctx context.Context, each func(Record) bool) error {
	return q.Records(KindDead).Oldest(ctx, "", each)
}

// Results calls each for every result that was kept, oldest first, until each returns false.
func (q *Queue) Results(ctx context.Context, each func(Record) bool) error {
	return q.Records(KindResults).Oldest(ctx, "", each)
}

// Len returns the number of records.
func (r Records) Len(ctx context.Context) (int, error) {
	n, err := r.redis.XLen(ctx, r.key).Result()
	return int(n), err
}

// Oldest calls each for the records, oldest first, until it returns false. With a key it begins after that one.
func (r Records) Oldest(ctx context.Context, after string, each func(Record) bool) error {
	return r.read(ctx, cmp.Or(beyond(after), "-"), "+", r.redis.XRangeN, each)
}

// Latest calls each for the records, latest first, until it returns false. With a key it begins after that one, with older ones.
func (r Records) Latest(ctx context.Context, before string, each func(Record) bool) error {
	return r.read(ctx, cmp.Or(beyond(before), "+"), "-", r.redis.XRevRangeN, each)
}

// beyond returns the end of a range of a stream that leaves out the entry of that key; "" without a key.
func beyond(key string) string {
	if key == "" {
		return ""
	}
	return "(" + key
}

// Get returns the records of these keys that are still there.
func (r Records) Get(ctx context.Context, keys []string) ([]Record, error) {
	replies := make([]*redis.XMessageSliceCmd, len(keys))
	_, err := r.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, key := range keys {
			replies[i] = pipe.XRange(ctx, r.key, key, key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	records := make([]Record, 0, len(keys))
	for _, reply := range replies {
		for _, entry := range reply.Val() {
			records = append(records, record(entry))
		}
	}
	return records, nil
}

// pageOf reads a page of a stream: XRANGE, or XREVRANGE for the latest first.
type pageOf func(ctx context.Context, stream, from, to string, count int64) *redis.XMessageSliceCmd

func (r Records) read(ctx context.Context, from, to string, page pageOf, each func(Record) bool) error {
	for size := firstPage; ; {
		entries, err := page(ctx, r.key, from, to, int64(size)).Result()
		if err != nil {
			return err
		}
		bytes := 0
		for _, entry := range entries {
			one := record(entry)
			if !each(one) {
				return nil
			}
			bytes += one.size()
		}
		if len(entries) < size {
			return nil
		}
		from = beyond(entries[size-1].ID)
		size = nextPage(size, bytes)
	}
}

// nextPage returns how many records to read next, after so many of so many bytes.
func nextPage(size, bytes int) int {
	return min(max(pageBytes*size/max(bytes, 1), 1), largestPage)
}

func (r Record) size() int { return len(r.Payload) + len(r.Report) }

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
