package dispatch

import (
	"bytes"
	"context"
	"math/bits"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// batch is a leased batch and how far the worker has come with it.
type batch struct {
	queue.Batch
	ctx    context.Context // done when the lease is lost, or the worker must end
	cancel context.CancelFunc

	next     int                 // items before this position were started
	finished int                 // number of items with an outcome
	bitmap   []byte              // of them
	verdicts []queue.ItemOutcome // on those of them that are more than done
	known    []byte              // bitmap of the finished items that the queue knows of
}

// chunk is a part of a batch, as one call of the handler takes it.
type chunk struct {
	batch    *batch
	from, to int // positions
	outcomes []attempt
}

// took answers how long the chunk's items took together. A handler that does not time each has them share the time since
// its start.
func (c *chunk) took() time.Duration {
	total := time.Duration(0)
	for _, o := range c.outcomes {
		total += o.Duration
	}
	if started := c.outcomes[0].Started; total == 0 && !started.IsZero() {
		total = time.Since(started)
		for i := range c.outcomes {
			c.outcomes[i].Duration = total / time.Duration(len(c.outcomes))
		}
	}
	return total
}

func (b *batch) unstarted() int { return len(b.Items) - b.next }

func (b *batch) complete() bool { return b.finished == len(b.Items) }

// finish records that a position has its outcome: done if verdict is nil.
func (b *batch) finish(position int, verdict *queue.ItemOutcome) {
	b.bitmap[position/8] |= 1 << (position % 8)
	b.finished++
	if verdict != nil {
		verdict.Position = position
		b.verdicts = append(b.verdicts, *verdict)
	}
}

// report is what the queue must hear about the batch now: the difference to what it knows.
func (b *batch) report() queue.Report {
	r := queue.Report{Batch: b.ID, Release: b.complete()}
	for i, finished := range b.bitmap {
		r.Before += bits.OnesCount8(b.known[i])
		r.Done += bits.OnesCount8(finished &^ b.known[i])
	}
	for _, v := range b.verdicts {
		if b.known[v.Position/8]&(1<<(v.Position%8)) == 0 {
			r.Outcomes = append(r.Outcomes, v)
			if v.Outcome != queue.OutcomeDone {
				r.Done--
			}
		}
	}
	if !r.Release && !bytes.Equal(b.bitmap, b.known) {
		r.Finished = bytes.Clone(b.bitmap)
	}
	return r
}

// reported notes that the queue has heard everything.
func (b *batch) reported() { copy(b.known, b.bitmap) }

// forgotten notes how much the queue knows, which is less than it has heard.
func (b *batch) forgotten(known []byte) {
	clear(b.known)
	copy(b.known, known)
}
