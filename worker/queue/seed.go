package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	seedChunkItems = 1000    // payloads per RPUSH
	seedChunkBytes = 1 << 20 // payload bytes per RPUSH
	seedPipeline   = 16      // RPUSHes per round trip, of as many bytes as their chunks have, or of one item more
	discardTimeout = 2 * time.Second
)

// stagingExpiry is how long the staged items of a seeder that has died occupy memory.
var stagingExpiry = time.Hour

// ErrIncomplete is returned when a seed must be made again.
var ErrIncomplete = errors.New("redis lost staged items, or the run got some of them meanwhile")

// Seeder fills a queue exactly once. It stages the items in a list of its own, at the speed of plain RPUSH, and then
// publishes all of them in one atomic step. A seeder may die at any point: before that step it has changed nothing, and
// what it staged expires; after it, every further seed of the same name adds nothing. A living one keeps its staged items,
// however slow their source is, until Close.
type Seeder struct {
	// Unique makes the items of the run unique: an item that the run has had is left out, here and when items are pushed later. The
	// caller adds no item twice.
	Unique bool

	// Skip is the runs whose items are left out if they are done, as far as these runs have recorded it, see Report.Known. The run
	// itself may be one of them.
	Skip []*Queue

	// Release is whose seed this is, see Queue.Release.
	Release string

	queue   *Queue
	name    string
	staging string
	staged  int
	skipped int
	chunk   []any
	bytes   int // of the chunk
	piped   int // bytes in the pipeline
	pipe    redis.Pipeliner
	stop    context.CancelFunc // ends the refreshing of the expiry, nil before the first flush
}

// NewSeeder prepares a seed. Seeds of one name are the same seed: the first to be published counts.
func (q *Queue) NewSeeder(name string) *Seeder {
	// The first flush is a transaction, so that there is never a list without an expiry.
	return &Seeder{queue: q, name: name, staging: q.key("staging:" + rand.Text()), pipe: q.redis.TxPipeline()}
}

// Add stages one item.
func (s *Seeder) Add(ctx context.Context, payload string) error {
	s.chunk = append(s.chunk, payload)
	s.bytes += len(payload)
	if len(s.chunk) < seedChunkItems && s.bytes < seedChunkBytes {
		return nil
	}
	if err := s.cut(ctx); err != nil {
		return err
	}
	if s.pipe.Len() < seedPipeline && s.piped < seedPipeline*seedChunkBytes {
		return nil
	}
	return s.flush(ctx)
}

// Staged is the number of items that were added so far and not left out.
func (s *Seeder) Staged() int { return s.staged + len(s.chunk) }

// Skipped is the number of items that were left out so far, because an earlier run has done them.
func (s *Seeder) Skipped() int { return s.skipped }

func (s *Seeder) stagingSeen() string  { return s.staging + ":seen" }
func (s *Seeder) stagingKnown() string { return s.staging + ":known" }

// cut moves the chunk into the pipeline, without the items that are to be left out.
func (s *Seeder) cut(ctx context.Context) error {
	items := s.chunk
	if len(items) == 0 {
		return nil
	}
	s.piped += s.bytes
	s.chunk, s.bytes = make([]any, 0, seedChunkItems), 0
	if s.Unique || len(s.Skip) > 0 {
		var err error
		if items, err = s.filter(ctx, items); err != nil {
			return err
		}
	}
	if len(items) > 0 {
		s.pipe.RPush(ctx, s.staging, items...)
	}
	s.staged += len(items)
	return nil
}

// filter returns the items that are not to be left out, and stages what is to be remembered.
func (s *Seeder) filter(ctx context.Context, chunk []any) (items []any, err error) {
	prints := make([]any, len(chunk))
	for i, payload := range chunk {
		prints[i] = fingerprint(payload.(string))
	}
	known, twice, err := s.leaveOut(ctx, prints)
	if err != nil {
		return nil, err
	}
	var seen, done []any
	for i, payload := range chunk {
		switch {
		case twice[i]:
			continue
		case known[i]:
			done = append(done, prints[i])
			continue
		case s.Unique:
			seen = append(seen, prints[i])
		}
		items = append(items, payload)
	}
	if len(seen) > 0 {
		s.pipe.SAdd(ctx, s.stagingSeen(), seen...)
	}
	if len(done) > 0 {
		s.pipe.SAdd(ctx, s.stagingKnown(), done...)
	}
	s.skipped += len(done)
	return items, nil
}

// leaveOut reports which items, by their fingerprints, an earlier run has done, and which this run has had.
func (s *Seeder) leaveOut(ctx context.Context, prints []any) (known, twice []bool, err error) {
	var sets []string
	for _, run := range s.Skip {
		sets = append(sets, run.key("known"))
	}
	if known, err = s.members(ctx, prints, sets...); err != nil {
		return nil, nil, err
	}
	sets = nil
	if s.Unique {
		sets = []string{s.queue.key("seen")}
	}
	twice, err = s.members(ctx, prints, sets...)
	return known, twice, err
}

// members reports which fingerprints are in any of the sets.
func (s *Seeder) members(ctx context.Context, prints []any, sets ...string) ([]bool, error) {
	is := make([]bool, len(prints))
	if len(sets) == 0 {
		return is, nil
	}
	replies := make([]*redis.BoolSliceCmd, len(sets))
	_, err := s.queue.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, set := range sets {
			replies[i] = pipe.SMIsMember(ctx, set, prints...)
		}
		return nil
	})
	for _, reply := range replies {
		for i, member := range reply.Val() {
			is[i] = is[i] || member
		}
	}
	return is, err
}

// flush sends the pipeline.
func (s *Seeder) flush(ctx context.Context) error {
	if err := s.cut(ctx); err != nil {
		return err
	}
	if s.pipe.Len() > 0 {
		s.expire(ctx, s.pipe, stagingExpiry)
	}
	if s.stop == nil {
		refreshing, stop := context.WithCancel(context.WithoutCancel(ctx))
		s.stop = stop
		go s.refresh(refreshing, stagingExpiry)
	}
	commands, err := s.pipe.Exec(ctx)
	s.pipe, s.piped = s.queue.redis.Pipeline(), 0
	return cause(commands, err)
}

func (s *Seeder) expire(ctx context.Context, pipe redis.Pipeliner, expiry time.Duration) {
	for _, key := range []string{s.staging, s.stagingSeen(), s.stagingKnown()} {
		pipe.PExpire(ctx, key, expiry)
	}
}

// refresh keeps the staged items from expiring until ctx is done.
func (s *Seeder) refresh(ctx context.Context, expiry time.Duration) {
	ticker := time.NewTicker(expiry / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			pipe := s.queue.redis.Pipeline()
			s.expire(ctx, pipe, expiry)
			_, _ = pipe.Exec(ctx) // Publish finds out if it was in vain
		case <-ctx.Done():
			return
		}
	}
}

// Close ends the seed. It deletes what was staged and not published.
func (s *Seeder) Close(ctx context.Context) error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	return s.queue.redis.Unlink(ctx, s.staging, s.stagingSeen(), s.stagingKnown()).Err()
}

// Publish makes the staged items part of the queue, and seals the queue if asked to. It returns false if a seed of
// this name was published before; the number of items is then that seed's.
func (s *Seeder) Publish(ctx context.Context, seal bool) (published bool, items int, err error) {
	if err := s.flush(ctx); err != nil {
		return false, 0, err
	}
	q := s.queue
	reply, err := publishScript.Run(ctx, q.redis, q.keys(s.staging, s.stagingSeen(), s.stagingKnown()),
		s.name, s.staged, rand.Text(), seal, s.Unique, s.skipped, s.Release).Slice()
	if err != nil {
		return false, 0, err
	}
	if len(reply) != 2 {
		return false, 0, fmt.Errorf("reply of publish.lua: %v", reply)
	}
	count, _ := reply[1].(int64)
	switch reply[0] {
	case "published":
		return true, int(count), nil
	case "already":
		return false, int(count), nil
	}
	return false, 0, fmt.Errorf("%w: %s has %d of the %d items, and nothing was published",
		ErrIncomplete, s.staging, count, s.staged)
}
