package dispatch

import (
	"context"
	"math/bits"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
)

type attempt = handler.Attempt

// batch is a leased batch and how far the worker has come with it.
type batch struct {
	queue.Batch
	ctx    context.Context // done when the lease is lost, or the worker must end
	cancel context.CancelFunc

	next, end int                 // positions of the items that were neither started nor returned
	remember  bool                // report the payloads of items that are done
	finished  int                 // number of items with an outcome
	bitmap    []byte              // of them
	outcomes  []queue.ItemOutcome // of those of them that are more than done
	sent      []byte              // bitmap of those that the last report was about, or an earlier one
	known     []byte              // bitmap of those that the queue knows of
}

func newBatch(ctx context.Context, leased *queue.Batch) *batch {
	b := &batch{Batch: *leased, end: len(leased.Items)}
	b.ctx, b.cancel = context.WithCancel(ctx)
	size := (len(leased.Items) + 7) / 8
	bitmaps := make([]byte, 3*size)
	b.bitmap, b.sent, b.known = bitmaps[:size], bitmaps[size:2*size], bitmaps[2*size:]
	return b
}

func (b *batch) unstarted() int { return b.end - b.next }

func (*batch) has(bitmap []byte, position int) bool {
	return bitmap[position/8]&(1<<(position%8)) != 0
}

// finish records the outcome of a position; nil means done, without a result.
func (b *batch) finish(position int, outcome *queue.ItemOutcome) {
	b.bitmap[position/8] |= 1 << (position % 8)
	b.finished++
	if outcome != nil {
		outcome.Position = position
		b.outcomes = append(b.outcomes, *outcome)
	}
}

// textBudget is how many outcomes with a text may still be reported in one call, and how many bytes.
type textBudget struct {
	texts, bytes int
	exceeded     bool
}

// spend reports whether an outcome is within the budget, and takes it off. One outcome always is.
func (t *textBudget) spend(o queue.ItemOutcome, payload string) bool {
	if o.Text == "" && o.Entry == "" && len(o.Push) == 0 {
		return true
	}
	size := o.Size(payload)
	if t.texts < queue.MaxTexts && (t.texts == 0 || size > t.bytes) {
		t.exceeded = true
		return false
	}
	t.texts, t.bytes = t.texts-1, t.bytes-size
	return true
}

// report returns what the queue does not know about the batch yet, within the budget.
func (b *batch) report(budget *textBudget) queue.Report {
	r := queue.Report{Batch: b.ID}
	copy(b.sent, b.bitmap)
	var undone map[int]bool
	for _, o := range b.outcomes {
		if b.remember && o.Outcome != queue.OutcomeDone {
			if undone == nil {
				undone = map[int]bool{}
			}
			undone[o.Position] = true
		}
		switch {
		case b.has(b.known, o.Position):
		case !budget.spend(o, b.Items[o.Position].Payload):
			b.sent[o.Position/8] &^= 1 << (o.Position % 8)
		default:
			r.Outcomes = append(r.Outcomes, o)
			if o.Outcome != queue.OutcomeDone {
				r.Done--
			}
		}
	}
	reported := 0
	for i, sent := range b.sent {
		r.Before += bits.OnesCount8(b.known[i])
		r.Done += bits.OnesCount8(sent &^ b.known[i])
		reported += bits.OnesCount8(sent)
	}
	if b.remember {
		for i, item := range b.Items {
			if b.has(b.sent, i) && !b.has(b.known, i) && !undone[i] {
				r.Known = append(r.Known, item.Payload)
			}
		}
	}
	r.Release = reported == len(b.Items)
	if !r.Release && reported != r.Before {
		r.Finished = append([]byte(nil), b.sent...)
	}
	return r
}

// reported notes that the queue knows of the last report. It returns whether that was about all items, so that the batch is over.
func (b *batch) reported() (all bool) {
	copy(b.known, b.sent)
	n := 0
	for _, known := range b.known {
		n += bits.OnesCount8(known)
	}
	return n == len(b.Items)
}

// rollBack notes that the queue knows less than was reported.
func (b *batch) rollBack(known []byte) {
	clear(b.known)
	copy(b.known, known)
}

// chunk is a part of a batch, as one call of a handler takes it.
type chunk struct {
	batch    *batch
	from, to int // positions
	wake     chan<- struct{}

	taken int       // attempts that the dispatcher has taken in
	mark  time.Time // when it last did so, or when the chunk was started

	mu       sync.Mutex
	attempts []attempt // by position in the chunk
	ended    []int     // positions in the chunk, in the order in which their attempts ended
	since    time.Time // when the first ended that was not taken in
}

// start prepares the chunk for items of a batch.
func (c *chunk) start(b *batch, from, to int, now time.Time) {
	n := to - from
	if cap(c.attempts) < n {
		c.attempts, c.ended = make([]attempt, n), make([]int, 0, n)
	}
	c.batch, c.from, c.to = b, from, to
	c.attempts, c.ended, c.taken = c.attempts[:n], c.ended[:0], 0
	c.mark, c.since = now, time.Time{}
}

// report takes an attempt of the handler's.
func (c *chunk) report(position int, a attempt) {
	c.mu.Lock()
	c.attempts[position] = a
	c.ended = append(c.ended, position)
	if c.since.IsZero() {
		c.since = time.Now()
	}
	c.mu.Unlock()
	if a.Outcome != queue.OutcomeDone && a.Outcome != queue.OutcomeFailed && a.Outcome != queue.OutcomeSnoozed {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// take returns the positions in the chunk whose attempts have ended since the last call, and when the first did.
func (c *chunk) take() (ended []int, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended, since = c.ended[c.taken:], c.since
	c.taken, c.since = len(c.ended), time.Time{}
	return ended, since
}

// ran returns how many of some attempts came to an end, and how long they took together. Those that a handler does not time
// share the time since the last ones.
func (c *chunk) ran(ended []int, now time.Time) (items int, took time.Duration) {
	untimed := 0
	for _, i := range ended {
		if a := &c.attempts[i]; ran(a) {
			items++
			took += a.Duration
			if a.Duration == 0 {
				untimed++
			}
		}
	}
	if untimed > 0 && took == 0 {
		took = now.Sub(c.mark)
		for _, i := range ended {
			if a := &c.attempts[i]; ran(a) {
				a.Duration = took / time.Duration(items)
			}
		}
	}
	c.mark = now
	return items, took
}

// ran reports whether an attempt was made and came to its end.
func ran(a *attempt) bool {
	return a.Outcome != queue.OutcomeReturned && a.Outcome != handler.OutcomeInvalid
}
