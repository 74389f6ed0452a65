package work

import (
	"context"

	"github.com/workqueue/workqueue/worker/queue"
)

// batch is a leased batch and how far the worker has come with it.
type batch struct {
	queue.Batch
	ctx    context.Context // done when the lease is lost, or the worker must end
	cancel context.CancelFunc

	next     int // items before this position were started
	finished int // number of items with an outcome
	bitmap   []byte

	// Since the last report:
	changed  bool
	done     int
	verdicts []queue.Verdict
}

// chunk is a part of a batch, as one call of the handler takes it.
type chunk struct {
	batch    *batch
	from, to int // positions
	outcomes []outcome
}

func (b *batch) unstarted() int { return len(b.Items) - b.next }

func (b *batch) complete() bool { return b.finished == len(b.Items) }

// finish records that a position has its outcome: done if verdict is nil.
func (b *batch) finish(position int, verdict *queue.Verdict) {
	b.bitmap[position/8] |= 1 << (position % 8)
	b.finished++
	b.changed = true
	if verdict == nil {
		b.done++
		return
	}
	if verdict.Kind == queue.Result {
		b.done++
	}
	verdict.Position = position
	b.verdicts = append(b.verdicts, *verdict)
}

// report is what the queue must hear about the batch now.
func (b *batch) report() queue.Report {
	r := queue.Report{Batch: b.ID, Release: b.complete(), Done: b.done, Verdicts: b.verdicts}
	if b.changed && !r.Release {
		r.Finished = append([]byte(nil), b.bitmap...)
	}
	return r
}

// reported notes that the queue has heard everything.
func (b *batch) reported() { b.changed, b.done, b.verdicts = false, 0, nil }
