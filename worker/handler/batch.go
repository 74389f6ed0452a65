package handler

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// Batch runs a command once for several items, which come on its standard input.
//
// On file descriptor 3 the command may report items, one a line: the item's number, counted from 1 as its line is, then a
// word (done, failed, dead or snoozed; failed if there is none) and a reason. The first report of an item counts, at once.
// If the command exits with 0 by itself, all other items are done. With another exit code the others failed together, and
// it is unknown which of them caused it: they run again at once, in halves, and in halves of these, until the one that
// fails runs alone. Only that is an attempt.
type Batch struct {
	Command
	Size      int
	Delimiter byte
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
	b.some(ctx, items, fit, report)
}

// some runs the items at these positions, in as many processes as it takes to know what became of each.
func (b *Batch) some(ctx context.Context, items []queue.Item, positions []int, report func(int, Attempt)) {
	if len(positions) == 0 {
		return
	}
	if ctx.Err() != nil {
		for _, i := range positions {
			report(i, Attempt{Outcome: queue.OutcomeReturned, Reason: "interrupted"})
		}
		return
	}
	whole, rest := b.once(ctx, items, positions, report)
	guilty := whole.Outcome == queue.OutcomeFailed || whole.Outcome == queue.OutcomeDead
	if guilty && len(positions) > 1 {
		half := len(rest) / 2
		b.some(ctx, items, rest[:half], report)
		b.some(ctx, items, rest[half:], report)
		return
	}
	for _, i := range rest {
		report(i, whole)
	}
}

// once runs the command once. It passes on what the command reports, and returns how the attempt went and the positions of
// items that were not reported.
func (b *Batch) once(ctx context.Context, items []queue.Item, positions []int, report func(int, Attempt)) (Attempt, []int) {
	read, write, err := os.Pipe()
	if err != nil {
		return Attempt{Outcome: queue.OutcomeFailed, Reason: err.Error()}, positions
	}
	defer read.Close()
	tail := &tail{}
	started := time.Now()
	last, lastNumber, reported := started, 0, time.Duration(0) // of reports
	rest := slices.Clone(positions)                            // -1 for items that were reported
	read3 := make(chan error, 1)
	go func() {
		read3 <- readReports(read, len(positions), func(number int, attempt Attempt) {
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
				attempt.Output, attempt.Truncated = tail.lines()
			}
			report(i, attempt)
		})
	}()

	name := label(items[positions[0]].Payload)
	first := queue.Item{}
	if len(positions) > 1 {
		name = fmt.Sprintf("%s +%d", name, len(positions)-1)
	} else {
		first = items[positions[0]]
	}
	stdout, stderr, flush := b.Output.writers(first, name)
	outcome := b.run(ctx, process{
		args:    b.Args,
		env:     []string{"WQ_BATCH_ITEMS=" + strconv.Itoa(len(positions))},
		stdin:   &lines{items: items, positions: positions, delimiter: b.Delimiter},
		stdout:  io.MultiWriter(stdout, tail),
		stderr:  io.MultiWriter(stderr, tail),
		extra:   []*os.File{write},
		timeout: b.Timeout * time.Duration(len(positions)),
	})
	flush()
	write.Close()
	_ = read.SetReadDeadline(time.Now().Add(pipesAfter)) // a grandchild may hold the other end
	if err := <-read3; err != nil && outcome.Outcome == queue.OutcomeDone {
		outcome.Outcome, outcome.Reason = queue.OutcomeFailed, "file descriptor 3: "+err.Error()
	}
	if outcome.Outcome != queue.OutcomeDone {
		outcome.Output, outcome.Truncated = tail.lines()
	}
	rest = slices.DeleteFunc(rest, func(i int) bool { return i < 0 })
	outcome.Duration = max(outcome.Duration-reported, 0) / time.Duration(max(len(rest), 1))
	return outcome, rest
}

// lines reads items, each with the delimiter behind it. They may be large, so they are not copied into one text.
type lines struct {
	items     []queue.Item
	positions []int // of those to come
	read      int   // bytes of the first of them
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

// maxReport is how many bytes of a line on file descriptor 3 are used.
const maxReport = 4 << 10

// readReports reads the lines of file descriptor 3, of any length, to their end. It returns an error if the reading fails,
// or else one about the first line that is no report.
func readReports(r io.Reader, items int, report func(number int, attempt Attempt)) (invalid error) {
	lines := bufio.NewReaderSize(r, maxReport)
	for {
		raw, err := lines.ReadSlice('\n')
		line := string(raw)
		if errors.Is(err, bufio.ErrBufferFull) {
			line = text.Shorten(line, maxReport-1)
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = lines.ReadSlice('\n')
			}
		}
		if line = strings.TrimSpace(line); line != "" {
			number, attempt, ok := readReport(line)
			if ok = ok && number >= 1 && number <= items; ok {
				report(number, attempt)
			} else if invalid == nil {
				invalid = fmt.Errorf("%q does not begin with the number of an item, 1 to %d", text.Shorten(line, 100), items)
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded):
			return invalid
		case err != nil:
			return err
		}
	}
}

// readReport reads one line.
func readReport(line string) (number int, attempt Attempt, ok bool) {
	first, rest, _ := strings.Cut(line, " ")
	number, err := strconv.Atoi(first)
	if err != nil {
		return 0, Attempt{}, false
	}
	rest = strings.TrimSpace(rest)
	word, reason, _ := strings.Cut(rest, " ")
	switch outcome := queue.Outcome(word); outcome {
	case queue.OutcomeDone:
		return number, Attempt{Outcome: outcome}, true
	case queue.OutcomeFailed, queue.OutcomeDead, queue.OutcomeSnoozed:
		attempt.Outcome = outcome
	default:
		attempt.Outcome, reason = queue.OutcomeFailed, rest
	}
	if attempt.Reason = strings.TrimSpace(reason); attempt.Reason == "" {
		attempt.Reason = "reported by the command"
	}
	return number, attempt, true
}
