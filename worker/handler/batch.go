package handler

import (
	"bufio"
	"context"
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
// On file descriptor 3 the command may report items that failed, one a line: the item's number, from 1 as lines are
// counted, and if it likes a word (failed, dead or snoozed) and a reason. If it then exits with 0, all others are done.
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
	whole, reported := b.once(ctx, items, positions)
	whole.Duration /= time.Duration(len(positions)) // as far as anybody can tell
	var rest []int
	for n, i := range positions {
		if r, ok := reported[n+1]; ok {
			attempt := whole
			attempt.Outcome, attempt.Reason = r.outcome, r.reason
			report(i, attempt)
		} else {
			rest = append(rest, i)
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

// once runs the command once.
func (b *Batch) once(ctx context.Context, items []queue.Item, positions []int) (Attempt, map[int]failure) {
	read, write, err := os.Pipe()
	if err != nil {
		return Attempt{Outcome: queue.OutcomeFailed, Reason: err.Error()}, nil
	}
	defer read.Close()
	reported := make(chan map[int]failure, 1)
	go func() { reported <- failures(read, len(positions)) }()

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
	return outcome, <-reported
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

// failure is what a command reports of one item.
type failure struct {
	outcome queue.Outcome
	reason  string
}

// failures reads a command's report. Lines that are none are passed over.
func failures(r io.Reader, items int) map[int]failure {
	found := map[int]failure{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		number, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > items {
			continue
		}
		f := failure{outcome: queue.OutcomeFailed}
		word, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
		switch word {
		case "failed":
		case "dead":
			f.outcome = queue.OutcomeDead
		case "snoozed":
			f.outcome = queue.OutcomeSnoozed
		default:
			reason = rest
		}
		if f.reason = strings.TrimSpace(reason); f.reason == "" {
			f.reason = "reported by the command"
		}
		found[n] = f
	}
	_, _ = io.Copy(io.Discard, r) // of a line that is too long: the command must not block on it
	return found
}
