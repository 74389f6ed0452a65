package handler

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
)

// Batch runs a command once for several items, which come on its standard input. The command may report items on file descriptor 3,
// see docs/batch.md.
//
// If the command exits with 0 by itself, all items that it has read and did not report are done. With another exit code any of them
// may be the cause: they run again at once in halves, and in halves of these, until the item that fails runs alone. Only that is an
// attempt.
type Batch struct {
	Command
	Size        int
	Delimiter   byte
	ResultBytes int // bytes of a result that are kept

	slots slots
	paces paces
	mu    sync.Mutex
	runs  map[*run]bool // whose items may be recalled
}

// run is one run of the command.
type run struct {
	feed   *feed
	report func(int, Attempt)

	mu   sync.Mutex
	rest []int // positions of the items, -1 for those that were reported
}

// settle reports the item at an index of the feed's positions, unless it was reported before.
func (r *run) settle(index int, attempt func() Attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.rest[index]; i >= 0 {
		r.rest[index] = -1
		r.report(i, attempt())
	}
}

// MaxItems implements Handler.
func (b *Batch) MaxItems() int { return b.Size }

// Handle implements Handler.
func (b *Batch) Handle(ctx context.Context, items []queue.Item, report func(int, Attempt)) {
	var fit []int
	for i, item := range items {
		if strings.IndexByte(item.Payload, b.Delimiter) >= 0 {
			report(i, Attempt{Outcome: queue.OutcomeDead, Reason: fmt.Sprintf("the item holds the byte %q that separates "+
				"items: set WQ_DELIMITER to another", b.Delimiter)})
		} else {
			fit = append(fit, i)
		}
	}
	b.run(ctx, items, fit, report)
}

// Excess implements Recaller.
func (b *Batch) Excess() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for r := range b.runs {
		if r.feed.hasExcess(time.Now()) {
			return true
		}
	}
	return false
}

// Recall implements Recaller.
func (b *Batch) Recall() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for r := range b.runs {
		for from, to := r.feed.recall(time.Now()); from < to; from++ {
			r.settle(from, func() Attempt {
				return Attempt{Outcome: queue.OutcomeReturned, Reason: "not started", Started: time.Now()}
			})
		}
	}
}

// run runs the items at these positions in as many processes as it takes to report each of them.
func (b *Batch) run(ctx context.Context, items []queue.Item, positions []int, report func(int, Attempt)) {
	for len(positions) > 0 {
		if ctx.Err() != nil {
			for _, i := range positions {
				report(i, Attempt{Outcome: queue.OutcomeReturned, Reason: "interrupted"})
			}
			return
		}
		end := b.runOnce(ctx, items, positions, report)
		failed := end.Outcome == queue.OutcomeFailed || end.Outcome == queue.OutcomeDead
		if failed && len(positions) > 1 {
			half := len(end.rest) / 2
			b.run(ctx, items, end.rest[:half], report)
			b.run(ctx, items, end.rest[half:], report)
		} else {
			for _, i := range end.rest {
				report(i, end.Attempt)
			}
		}
		positions = end.left
	}
}

// runEnd is how a run of the command ended.
type runEnd struct {
	Attempt       // of the items that were not reported
	rest    []int // their positions
	left    []int // positions of items that the command had not read when it exited with 0
}

// runOnce runs the command once, and passes on what the command reports.
func (b *Batch) runOnce(ctx context.Context, items []queue.Item, positions []int, report func(int, Attempt)) runEnd {
	r := &run{report: report, rest: slices.Clone(positions)}
	var err error
	if r.feed, err = newFeed(items, positions, b.Delimiter, &b.paces); err != nil {
		return runEnd{Attempt: Unstarted(b.Args[0], err), rest: positions}
	}
	b.enter(r)
	tail := &process.Tail{}
	running, end := context.WithCancel(ctx)
	defer end()
	shares := shares{last: time.Now()}
	reports := reports{items: len(positions), read: r.feed.read, end: end, resultBytes: b.ResultBytes,
		settle: func(number int, attempt Attempt) {
			r.settle(number-1, func() Attempt {
				attempt.Started, attempt.Duration = shares.next(number)
				if attempt.Outcome != queue.OutcomeDone {
					attempt.Output, attempt.Truncated = tail.Lines()
				}
				return attempt
			})
		},
	}
	from := origin(items[positions[0]])
	if others := len(positions) - 1; others > 0 {
		from = process.Origin{Label: fmt.Sprintf("%s +%d", from.Label, others)}
	}
	slot, slotVariable := b.slots.enter()
	defer b.slots.leave(slot)
	attempt := b.runProcess(running, from, tail, process.Process{
		Args:     b.Args,
		Env:      []string{"WQ_BATCH_ITEMS=" + strconv.Itoa(len(positions)), slotVariable},
		Stdin:    r.feed.stdin,
		Timeout:  b.Timeout * time.Duration(len(positions)),
		Messages: reports.readFrom,
	})
	b.leave(r)
	read, kept := r.feed.close()
	if attempt.Outcome == queue.OutcomeDone && read > 0 {
		b.paces.noteEnd(read, attempt.Duration)
	}
	ended := kept // the outcome is that of the whole batch
	if attempt.Outcome == queue.OutcomeDone && read > 0 {
		ended = read
	}
	if reason := reports.undone(read); reason != "" && ctx.Err() == nil && (reports.broken != nil || attempt.Outcome == queue.OutcomeDone) {
		attempt.Outcome, attempt.Reason = queue.OutcomeFailed, reason
		attempt.Output, attempt.Truncated = tail.Lines()
	}
	unreported := func(rest []int) []int { return slices.DeleteFunc(rest, func(i int) bool { return i < 0 }) }
	result := runEnd{Attempt: attempt, left: unreported(slices.Clone(r.rest[ended:kept])), rest: unreported(r.rest[:ended])}
	result.Duration = max(attempt.Duration-shares.sum, 0) / time.Duration(max(len(result.rest), 1))
	return result
}

// undone returns why the items that a batch program has not settled are not done, though its exit code was 0. It returns "" for a program that
// has said nothing: its exit code says that what it has read is done.
func (r *reports) undone(read int) string {
	switch {
	case r.broken != nil:
		return r.broken.Error()
	case read == 0:
		return "the program has read no item: its exit code 0 proves nothing"
	case r.said:
		return "the program did not say that the item is done: once it has said anything, its exit code 0 counts for no item"
	case r.held:
		return "the program has ended, but a process that it has left behind holds file descriptor 3 and may have more to say: " +
			"wait for it, or start it with 3>&-"
	}
	return ""
}

// shares divides a process's time among its items: those between two messages share the time between these.
type shares struct {
	last   time.Time
	number int // of the item that was settled last
	sum    time.Duration
}

func (s *shares) next(number int) (started time.Time, took time.Duration) {
	now := time.Now()
	started, took = s.last, now.Sub(s.last)/time.Duration(max(number-s.number, 1))
	s.last, s.number = now, number
	s.sum += took
	return started, took
}

func (b *Batch) enter(r *run) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.runs == nil {
		b.runs = map[*run]bool{}
	}
	b.runs[r] = true
}

func (b *Batch) leave(r *run) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.runs, r)
}
