package handler

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
)

// Batch runs a command once for several items, which come on its standard input. The command may report items on file descriptor 3,
// see docs/batch.md.
//
// If the command exits with 0 by itself, all items that it did not report are done. With another exit code any of them may be the
// cause: they run again at once in halves, and in halves of these, until the item that fails runs alone. Only that is an attempt.
type Batch struct {
	Command
	Size      int
	Delimiter byte

	slots slots
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

// run runs the items at these positions in as many processes as it takes to report each of them.
func (b *Batch) run(ctx context.Context, items []queue.Item, positions []int, report func(int, Attempt)) {
	if len(positions) == 0 {
		return
	}
	if ctx.Err() != nil {
		for _, i := range positions {
			report(i, Attempt{Outcome: queue.OutcomeReturned, Reason: "interrupted"})
		}
		return
	}
	whole, rest := b.runOnce(ctx, items, positions, report)
	failed := whole.Outcome == queue.OutcomeFailed || whole.Outcome == queue.OutcomeDead
	if failed && len(positions) > 1 {
		half := len(rest) / 2
		b.run(ctx, items, rest[:half], report)
		b.run(ctx, items, rest[half:], report)
		return
	}
	for _, i := range rest {
		report(i, whole)
	}
}

// runOnce runs the command once. It passes on what the command reports, and returns the attempt of the items that were not reported
// and their positions.
func (b *Batch) runOnce(ctx context.Context, items []queue.Item, positions []int, report func(int, Attempt)) (Attempt, []int) {
	read, write, err := os.Pipe()
	if err != nil {
		return Attempt{Outcome: queue.OutcomeFailed, Reason: err.Error()}, positions
	}
	defer read.Close()
	tail := &process.Tail{}
	started := time.Now()
	last, lastNumber := started, 0  // of the reports
	reported := time.Duration(0)    // taken by the items that were reported
	rest := slices.Clone(positions) // -1 for those items
	allRead := make(chan error, 1)
	go func() {
		allRead <- readReports(read, len(positions), func(number int, attempt Attempt) {
			i := rest[number-1]
			if i < 0 {
				return
			}
			rest[number-1] = -1
			// Items between two reports share the time between them.
			now := time.Now()
			attempt.Started, attempt.Duration = last, now.Sub(last)/time.Duration(max(number-lastNumber, 1))
			reported += attempt.Duration
			last, lastNumber = now, number
			if attempt.Outcome != queue.OutcomeDone {
				attempt.Output, attempt.Truncated = tail.Lines()
			}
			report(i, attempt)
		})
	}()

	from := origin(items[positions[0]])
	if others := len(positions) - 1; others > 0 {
		from = process.Origin{Label: fmt.Sprintf("%s +%d", from.Label, others)}
	}
	slot, slotVariable := b.slots.enter()
	defer b.slots.leave(slot)
	attempt := b.runProcess(ctx, from, tail, process.Process{
		Args:    b.Args,
		Env:     []string{"WQ_BATCH_ITEMS=" + strconv.Itoa(len(positions)), slotVariable},
		Stdin:   &lines{items: items, positions: positions, delimiter: b.Delimiter},
		Files:   []*os.File{write},
		Timeout: b.Timeout * time.Duration(len(positions)),
	})
	write.Close()
	_ = read.SetReadDeadline(time.Now().Add(process.PipeDelay)) // another process may hold the other end
	if err := <-allRead; err != nil && attempt.Outcome == queue.OutcomeDone {
		attempt.Outcome, attempt.Reason = queue.OutcomeFailed, "file descriptor 3: "+err.Error()
		attempt.Output, attempt.Truncated = tail.Lines()
	}
	rest = slices.DeleteFunc(rest, func(i int) bool { return i < 0 })
	attempt.Duration = max(attempt.Duration-reported, 0) / time.Duration(max(len(rest), 1))
	return attempt, rest
}

// lines is a text of items, each followed by the delimiter. They may be large, so it is never held as a whole.
type lines struct {
	items     []queue.Item
	positions []int // of the items that were not read to their end
	read      int   // bytes of the first of them that were read
	delimiter byte
}

// Read implements io.Reader.
func (l *lines) Read(p []byte) (n int, err error) {
	for n < len(p) && len(l.positions) > 0 {
		rest := l.items[l.positions[0]].Payload[l.read:]
		if len(rest) == 0 {
			p[n] = l.delimiter
			n++
			l.positions, l.read = l.positions[1:], 0
			continue
		}
		copied := copy(p[n:], rest)
		n += copied
		l.read += copied
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}
