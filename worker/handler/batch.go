package handler

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// Batch runs a command once for several items, which come on its standard input.
//
// On file descriptor 3 the command may report items, one a line: the item's number, from 1 as lines are counted, an outcome (done, failed, dead
// or snoozed; failed if it is left out) and a reason. If it then exits with 0, and was not told to end, all others are done.
// With another exit code the others failed together, and nobody knows by which of them: they are run again at once, in
// halves, and in halves of these, until the one that fails is alone. Only that is an attempt.
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
	started := time.Now()
	whole, reported := b.once(ctx, items, positions, func(n int) {
		report(positions[n-1], Attempt{Outcome: queue.OutcomeDone, Started: started, Duration: time.Since(started) / time.Duration(len(positions))})
	})
	whole.Duration /= time.Duration(len(positions)) // as far as anybody can tell
	var rest []int
	for n, i := range positions {
		r, ok := reported[n+1]
		switch {
		case !ok:
			rest = append(rest, i)
		case r.outcome != queue.OutcomeDone:
			attempt := whole
			attempt.Outcome, attempt.Reason = r.outcome, r.reason
			report(i, attempt)
		}
	}
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

// once runs the command once. It calls done for each item that the command reports as done, counted from 1, and returns all that was reported.
func (b *Batch) once(ctx context.Context, items []queue.Item, positions []int, done func(int)) (Attempt, map[int]itemReport) {
	read, write, err := os.Pipe()
	if err != nil {
		return Attempt{Outcome: queue.OutcomeFailed, Reason: err.Error()}, nil
	}
	defer read.Close()
	var reported map[int]itemReport
	end := make(chan error, 1)
	go func() {
		var err error
		reported, err = readReports(read, len(positions), done)
		end <- err
	}()

	name := label(items[positions[0]].Payload)
	first := queue.Item{}
	if len(positions) > 1 {
		name = fmt.Sprintf("%s +%d", name, len(positions)-1)
	} else {
		first = items[positions[0]]
	}
	tail := &tail{}
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
	outcome.Output, outcome.Truncated = tail.lines()
	write.Close()
	_ = read.SetReadDeadline(time.Now().Add(pipesAfter)) // a grandchild may hold the other end
	if err := <-end; err != nil {
		outcome.Outcome, outcome.Reason = queue.OutcomeFailed, fmt.Sprintf("cannot read the reports on file descriptor 3: %v", err)
	}
	return outcome, reported
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

// itemReport is what a command reports of one item.
type itemReport struct {
	outcome queue.Outcome
	reason  string
}

// longestReport is how much of a line on file descriptor 3 is kept.
const longestReport = 4 << 10

// readReports reads the lines on file descriptor 3 to their end and passes over those that are no reports. It calls done, once at most, for an
// item that is done; other reports may be replaced by later ones. A grandchild that holds the pipe open is no error.
func readReports(r io.Reader, items int, done func(int)) (map[int]itemReport, error) {
	reports := map[int]itemReport{}
	lines := bufio.NewReaderSize(r, longestReport)
	for {
		line, err := lines.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if n, report, ok := parseReport(string(line), long); ok && n <= items && reports[n].outcome != queue.OutcomeDone {
			reports[n] = report
			if report.outcome == queue.OutcomeDone {
				done(n)
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = lines.ReadSlice('\n')
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded):
			return reports, nil
		case err != nil:
			return reports, err
		}
	}
}

// parseReport reads a number, an outcome and a reason. Only the number is required.
func parseReport(line string, cut bool) (n int, report itemReport, ok bool) {
	number, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return 0, itemReport{}, false
	}
	report = itemReport{outcome: queue.OutcomeFailed, reason: rest}
	word, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
	switch outcome := queue.Outcome(word); outcome {
	case queue.OutcomeDone, queue.OutcomeFailed, queue.OutcomeDead, queue.OutcomeSnoozed:
		report = itemReport{outcome, reason}
	}
	if report.reason = strings.TrimSpace(strings.ToValidUTF8(report.reason, "")); report.reason == "" {
		report.reason = "reported by the command"
	}
	if cut {
		report.reason += "…"
	}
	return n, report, true
}
