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

	next, end int    // positions of the items that were neither started nor returned
	remember  bool   // report the payloads of items that are done
	over      bool   // the lease has ended, or was lost
	finished  int    // number of items with an outcome
	acked     int    // number of items whose outcome the queue has
	bitmap    []byte // of the finished items
	undone    []byte // bitmap of those of them that are not done
	sent      []byte // bitmap of those that the last report was about, or an earlier one
	known     []byte // bitmap of those that the queue knows of

	// The outcomes that are more than done, in the order in which they came. They are kept until the end of the lease: Redis may
	// lose what it was told. Reports go through them once.
	outcomes  []queue.ItemOutcome
	sentTo    int // end of those that the last report was about
	ackedUpTo int // end of those that the queue has
}

func newBatch(ctx context.Context, leased *queue.Batch) *batch {
	b := &batch{Batch: *leased, end: len(leased.Items)}
	b.ctx, b.cancel = context.WithCancel(ctx)
	size := (len(leased.Items) + 7) / 8
	bitmaps := make([]byte, 4*size)
	b.bitmap, b.undone, b.sent, b.known = bitmaps[:size], bitmaps[size:2*size], bitmaps[2*size:3*size], bitmaps[3*size:]
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
		if outcome.Outcome != queue.OutcomeDone {
			b.undone[position/8] |= 1 << (position % 8)
		}
		b.outcomes = append(b.outcomes, *outcome)
	}
}

// unreported returns how many items have an outcome that the queue does not have.
func (b *batch) unreported() int { return b.finished - b.acked }

// textBudget limits the outcomes with a text that one call reports, and their bytes.
type textBudget struct {
	texts, bytes int
	exceeded     bool
}

func newTextBudget() *textBudget {
	return &textBudget{texts: queue.MaxTexts, bytes: queue.MaxTextBytes}
}

// spend reports whether an outcome is within the budget, and takes it off. One outcome always is.
func (t *textBudget) spend(o *queue.ItemOutcome, payload string) bool {
	if o.Text == "" && o.Entry == "" && len(o.Push) == 0 {
		return true
	}
	size := o.Size(payload)
	if t.texts <= 0 || t.texts < queue.MaxTexts && size > t.bytes {
		t.exceeded = true
		return false
	}
	t.texts, t.bytes = t.texts-1, t.bytes-size
	return true
}

// report returns what the queue does not know about the batch yet, within the budget.
func (b *batch) report(budget *textBudget) queue.Report {
	r := queue.Report{Batch: b.ID, Before: b.acked}
	if b.unreported() == 0 || budget.exceeded { // there is only the lease to renew
		return r
	}
	copy(b.sent, b.bitmap)
	for b.sentTo = b.ackedUpTo; b.sentTo < len(b.outcomes); b.sentTo++ {
		o := &b.outcomes[b.sentTo]
		if b.has(b.known, o.Position) { // after a rollback
			continue
		}
		if !budget.spend(o, b.Items[o.Position].Payload) {
			break
		}
		r.Outcomes = append(r.Outcomes, *o)
		if o.Outcome != queue.OutcomeDone {
			r.Done--
		}
	}
	for _, o := range b.outcomes[b.sentTo:] {
		if !b.has(b.known, o.Position) {
			b.sent[o.Position/8] &^= 1 << (o.Position % 8)
		}
	}
	reported := 0
	for i, sent := range b.sent {
		r.Done += bits.OnesCount8(sent &^ b.known[i])
		reported += bits.OnesCount8(sent)
	}
	if b.remember {
		r.Known = b.newlyDone()
	}
	r.Release = reported == len(b.Items)
	if !r.Release && reported != r.Before {
		r.Finished = append([]byte(nil), b.sent...)
	}
	return r
}

// newlyDone returns the payloads of the items that the next report makes done.
func (b *batch) newlyDone() (payloads []string) {
	for i, item := range b.Items {
		if b.has(b.sent, i) && !b.has(b.known, i) && !b.has(b.undone, i) {
			payloads = append(payloads, item.Payload)
		}
	}
	return payloads
}

// reported notes that the queue knows of the last report. It returns how many items that was about.
func (b *batch) reported() (items int) {
	before := b.acked
	copy(b.known, b.sent)
	b.acked, b.ackedUpTo = count(b.known), b.sentTo
	return b.acked - before
}

// released reports whether the queue knows of all items, so that the batch is over.
func (b *batch) released() bool { return b.acked == len(b.Items) }

// rollBack notes that the queue knows less than was reported.
func (b *batch) rollBack(known []byte) {
	clear(b.known)
	copy(b.known, known)
	copy(b.sent, b.known)
	b.acked, b.sentTo, b.ackedUpTo = count(b.known), 0, 0
}

func count(bitmap []byte) (n int) {
	for _, b := range bitmap {
		n += bits.OnesCount8(b)
	}
	return n
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
