package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/terminal"
	"github.com/workqueue/workqueue/worker/text"
)

var resultsVerb = verb{
	name:     "results",
	summary:  "print the results, a line each",
	operands: "[PATTERN]",
	help:     "There are results if WQ_RECORD is results or all. Without a pattern it takes all of them. The pattern is a regular expression that is looked for in the item. A terminal gets a table that is cut to its width; WQ_FORMAT=jsonl prints everything.",
	settings: func() any { return &config.List{} },
	examples: []string{
		"kubectl exec deploy/fruits-monitor -- worker results > results.jsonl",
		"kubectl exec deploy/fruits-monitor -- worker WQ_FORMAT=csv results '^2024-'",
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runResults,
}

func runResults(ctx context.Context, args []string) error { return list(ctx, queue.KindResults, args) }

// list prints the records of a kind whose items match.
func list(ctx context.Context, kind queue.Kind, args []string) error {
	settings := &config.List{}
	s, err := openRecords(ctx, settings, &settings.Records, args)
	if err != nil {
		return err
	}
	defer s.Close()
	counts, err := s.existing(ctx)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(os.Stdout)
	l := &lister{session: s, records: s.Records(kind), match: settings.Match, out: newRecordWriter(buffer, kind, settings.Format)}
	if settings.Order == "id" {
		err = l.byID(ctx)
	} else {
		err = l.oldest(ctx, "reading", l.print)
	}
	if err = errors.Join(err, l.out.Flush(), buffer.Flush()); err != nil {
		return err
	}
	const dropped = "%s are missing: there were more than are kept (WQ_MAX_RESULTS, WQ_MAX_RECORD_MIB)"
	switch {
	case kind == queue.KindResults && counts.ResultsDropped > 0:
		s.log.Warn(fmt.Sprintf(dropped, "results"), "missing", counts.ResultsDropped)
	case kind == queue.KindHistory && counts.HistoryDropped > 0:
		s.log.Warn(fmt.Sprintf(dropped, "lines of the history"), "missing", counts.HistoryDropped)
	}
	if l.truncated > 0 && settings.Format == string(record.FormatRaw) {
		s.log.Warn("some outputs are not whole: they were longer than is kept (WQ_RESULT_BYTES)", "truncated", l.truncated)
	}
	return nil
}

// forTerminal returns a writer of standard output that escapes whatever a terminal might obey, if it is one.
func forTerminal(out io.Writer) io.Writer {
	if terminal.Of(os.Stdout) != nil {
		return printable{out}
	}
	return out
}

// printable escapes whatever a terminal might obey.
type printable struct{ terminal io.Writer }

func (p printable) Write(part []byte) (int, error) {
	_, err := io.WriteString(p.terminal, text.Printable(string(part)))
	return len(part), err
}

// openRecords opens a session with settings, of which records is a part. Its pattern is that of the arguments, or else WQ_MATCH.
func openRecords(ctx context.Context, settings any, records *config.Records, args []string) (*session, error) {
	s, err := start(settings, &records.Common)
	if err != nil {
		return nil, err
	}
	if err := parsePattern(&records.Match, args); err != nil {
		return nil, err
	}
	return s, s.hurry().connectRun(ctx)
}

// parsePattern reads the pattern that a verb has as its only argument, if it has any.
func parsePattern(pattern *config.Pattern, args []string) error {
	if len(args) == 1 {
		if err := pattern.Decode(args[0]); err != nil {
			return usageError(fmt.Sprintf("%q is not %s", args[0], pattern.Expected()))
		}
	}
	return nil
}

// lister prints records. While Redis is unreachable it waits, and goes on where it was.
type lister struct {
	*session
	records   queue.Records
	match     config.Pattern
	out       recordWriter
	truncated int // records printed whose output is not whole
}

// byID prints the records in the order of their items' IDs. If there are more than an index holds, it reads them several times.
func (l *lister) byID(ctx context.Context) error {
	total, err := l.len(ctx)
	if err != nil {
		return err
	}
	index := queue.NewIndex(total)
	for more := true; more; index.Next() {
		if err := l.oldest(ctx, "sorting", index.Add); err != nil {
			return err
		}
		bar := newRecordBar("printing", total)
		err := index.Read(ctx, l.get, func(r queue.Record) error {
			bar.add()
			return l.print(r)
		})
		bar.end()
		if err != nil {
			return err
		}
		more = index.More
	}
	return nil
}

// oldest calls each for the matching records, oldest first, until it fails.
func (l *lister) oldest(ctx context.Context, doing string, each func(queue.Record) error) error {
	total, err := l.len(ctx)
	if err != nil {
		return err
	}
	bar := newRecordBar(doing, total)
	defer bar.end()
	var failed error
	last := ""
	err = l.retry(ctx, func(ctx context.Context) error {
		return l.records.Oldest(ctx, last, func(r queue.Record) bool {
			bar.add()
			if last = r.Key; l.match.Matches(r.Payload) {
				failed = each(r)
			}
			return failed == nil
		})
	})
	return cmp.Or(failed, err)
}

func (l *lister) len(ctx context.Context) (n int, err error) {
	err = l.retry(ctx, func(ctx context.Context) error {
		n, err = l.records.Len(ctx)
		return err
	})
	return n, err
}

func (l *lister) get(ctx context.Context, keys []string) (found []queue.Record, err error) {
	err = l.retry(ctx, func(ctx context.Context) error {
		found, err = l.records.Get(ctx, keys)
		return err
	})
	return found, err
}

func (l *lister) print(kept queue.Record) error {
	r := record.New(kept)
	if r.Truncated {
		l.truncated++
	}
	return l.out.Write(r)
}

// recordBar shows on standard error how many records were read, if it is a terminal and standard output is none.
type recordBar struct {
	*terminal.Terminal // nil for none
	doing              string
	read, total        int
	drawn              time.Time
}

const (
	recordBarColumns = 30
	recordBarEvery   = 100 * time.Millisecond
)

func newRecordBar(doing string, total int) *recordBar {
	b := &recordBar{doing: doing, total: total}
	if terminal.Of(os.Stdout) == nil {
		b.Terminal = terminal.Of(os.Stderr)
	}
	return b
}

func (b *recordBar) add() {
	b.read++
	if b.Terminal != nil && time.Since(b.drawn) >= recordBarEvery {
		b.draw()
	}
}

func (b *recordBar) draw() {
	b.drawn = time.Now()
	b.Draw(fmt.Sprintf("%s %s %d/%d", terminal.Bar(b.read, b.total, recordBarColumns), b.doing, b.read, b.total))
}

func (b *recordBar) end() {
	if b.Terminal != nil {
		b.draw()
		b.End()
	}
}
