// Package report shows a person how a run goes and how it went.
package report

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/text"
)

const (
	deadShown   = 20  // dead items that are listed in full
	itemShown   = 60  // characters of an item, or of a line of output
	reasonShown = 200 // characters
	outputLines = 3   // of a dead item's output
)

// Print writes the report of a run: its counts and its speed. Its dead items and the conclusion follow.
func Print(out io.Writer, name string, c queue.Counts, maxDead int) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, value any, note string) { fmt.Fprintf(table, "  %s\t%v\t%s\n", name, value, note) }
	fmt.Fprintf(out, "Queue %s\n", text.Line(name, len(name)))
	row("seeded", c.Seeded, "")
	if c.Pushed() > 0 {
		row("pushed", c.Pushed(), "added in other ways than seeding")
	}
	row("done", c.Done, "")
	row("retried", c.Failed, "failed attempts that were followed by another")
	row("dead", c.Dead, fmt.Sprintf("%d allowed", maxDead))
	if c.Open() > 0 {
		row("open", c.Open(), fmt.Sprintf("%d ready, %d running, %d delayed, %d to run alone", c.Ready, c.Leased, c.Delayed, c.Suspects))
	}
	if c.Expired > 0 {
		row("leases expired", c.Expired, "of workers that died, or were away for too long")
	}
	if took := WallTime(c); took > 0 {
		row("wall time", took.Round(time.Millisecond), "from the first lease")
		row("rate", fmt.Sprintf("%.1f/s", Average(c)), "")
	}
	return table.Flush()
}

// PrintDead writes the first of so many dead items, with the reason and the last lines of output of each.
func PrintDead(ctx context.Context, out io.Writer, q *queue.Queue, dead int) error {
	if dead == 0 {
		return nil
	}
	var list strings.Builder // printed whole: a try that fails half-way leaves nothing behind
	shown := 0
	err := q.DeadLetters(ctx, func(r queue.Record) bool {
		dead := record.New(r)
		fmt.Fprintf(&list, "  %s (item %s): %s\n", text.Line(r.Payload, itemShown), r.ItemID, text.Line(reason(dead), reasonShown))
		if output, err := text.Decode(dead.Output, dead.OutputEncoding); err == nil && output != "" {
			lines := strings.Split(output, "\n")
			for _, line := range lines[max(0, len(lines)-outputLines):] {
				fmt.Fprintf(&list, "    | %s\n", text.Line(line, itemShown))
			}
		}
		shown++
		return shown < deadShown
	})
	if err != nil {
		return err
	}
	if dead > shown {
		fmt.Fprintf(&list, "  … and %d more; worker dead prints all\n", dead-shown)
	}
	_, err = fmt.Fprintf(out, "Dead items:\n%s", &list)
	return err
}

func reason(r record.Record) string {
	if r.Host == "" { // no worker was left to report
		return r.Reason
	}
	attempts := "attempts"
	if r.Number == 1 {
		attempts = "attempt"
	}
	return fmt.Sprintf("%s after %d %s, the last on %s", r.Reason, r.Number, attempts, r.Host)
}
