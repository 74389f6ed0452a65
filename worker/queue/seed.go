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
	seedPipeline   = 16      // RPUSHes per round trip
	discardTimeout = 2 * time.Second
)

// stagingExpiry is how long the staged items of a seeder that has died occupy memory.
var stagingExpiry = time.Hour

// ErrIncomplete is returned when a seed must be made again.
var ErrIncomplete = errors.New("redis lost staged items")

// Seeder fills a queue exactly once. It stages the items in a list of its own, at the speed of plain RPUSH, and then
// publishes all of them in one atomic step. A seeder may die at any point: before that step it has changed nothing, and
// what it staged expires; after it, every further seed of the same name adds nothing. A living one keeps its staged items,
// however slow their source is, until Close.
type Seeder struct {
	queue   *Queue
	name    string
	staging string
	staged  int
	chunk   []any
	bytes   int // of the chunk
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
	s.cut(ctx)
	if s.pipe.Len() < seedPipeline {
		return nil
	}
	return s.flush(ctx)
}

// Staged is the number of items added so far.
func (s *Seeder) Staged() int { return s.staged + len(s.chunk) }

// cut moves the chunk into the pipeline.
func (s *Seeder) cut(ctx context.Context) {
	if len(s.chunk) > 0 {
		s.pipe.RPush(ctx, s.staging, s.chunk...)
		s.staged += len(s.chunk)
		s.chunk, s.bytes = make([]any, 0, seedChunkItems), 0
	}
}

// flush sends the pipeline.
func (s *Seeder) flush(ctx context.Context) error {
	s.cut(ctx)
	if s.pipe.Len() > 0 {
		s.pipe.PExpire(ctx, s.staging, stagingExpiry)
	}
	if s.stop == nil {
		refreshing, stop := context.WithCancel(context.WithoutCancel(ctx))
		s.stop = stop
		go s.refresh(refreshing, stagingExpiry)
	}
	commands, err := s.pipe.Exec(ctx)
	s.pipe = s.queue.redis.Pipeline()
	return cause(commands, err)
}

// refresh keeps the staged items from expiring until ctx is done.
func (s *Seeder) refresh(ctx context.Context, expiry time.Duration) {
	ticker := time.NewTicker(expiry / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = s.queue.redis.PExpire(ctx, s.staging, expiry) // Publish finds out if it was in vain
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
	return s.queue.redis.Unlink(ctx, s.staging).Err()
}

// Publish makes the staged items part of the queue, and seals the queue if asked to. It returns false if a seed of
// this name was published before; the number of items is then that seed's.
func (s *Seeder) Publish(ctx context.Context, seal bool) (published bool, items int, err error) {
	if err := s.flush(ctx); err != nil {
		return false, 0, err
	}
	q := s.queue
	sealed := "0"
	if seal {
		sealed = "1"
	}
	reply, err := publishScript.Run(ctx, q.redis, q.keys(s.staging), s.name, s.staged, rand.Text(), sealed).Slice()
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
