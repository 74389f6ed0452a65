// Package report tells a person how a run went.
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

// Print writes the report of a run: its counts, its speed, its dead items and the verdict.
func Print(ctx context.Context, out io.Writer, q *queue.Queue, c queue.Counts, maxDead int) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, value any, note string) { fmt.Fprintf(table, "  %s\t%v\t%s\n", name, value, note) }
	fmt.Fprintf(out, "Queue %s\n", q.Name)
	row("seeded", c.Seeded, "")
	if c.Pushed() > 0 {
		row("pushed", c.Pushed(), "added by other ways than seeding")
	}
	row("done", c.Done, "")
	row("retried", c.Failed, "failed attempts that were followed by another")
	row("dead", c.Dead, fmt.Sprintf("%d allowed", maxDead))
	if c.Open() > 0 {
		row("open", c.Open(), fmt.Sprintf("%d ready, %d running, %d delayed, %d to run alone", c.Ready, c.Leased, c.Delayed, c.Suspects))
	}
	if c.Expired > 0 {
		row("leases expired", c.Expired, "workers that died, or were away for too long")
	}
	if took := wallTime(c); took > 0 {
		row("wall time", took.Round(time.Millisecond), "from the first lease")
		row("rate", fmt.Sprintf("%.1f/s", float64(c.Done)/took.Seconds()), "")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if err := printDead(ctx, out, q, c.Dead); err != nil {
		return err
	}
	fmt.Fprintln(out, verdict(c, maxDead))
	return nil
}

func wallTime(c queue.Counts) time.Duration {
	if c.Started.IsZero() {
		return 0
	}
	if c.Finished.IsZero() {
		return c.Now.Sub(c.Started)
	}
	return c.Finished.Sub(c.Started)
}

func verdict(c queue.Counts, maxDead int) string {
	switch {
	case !c.Exists:
		return "FAILED: the queue does not exist: it was never seeded, or Redis lost its data"
	case !c.Consistent():
		return fmt.Sprintf("FAILED: the accounts do not balance: %d items came in, %d are known", c.Total(), c.Open()+c.Dead+c.Done)
	case c.Stopped:
		return fmt.Sprintf("FAILED: stopped early, with %d of %d items dead and %d not done", c.Dead, c.Total(), c.Open())
	case c.Dead > maxDead:
		return fmt.Sprintf("FAILED: %d of %d items are dead", c.Dead, c.Total())
	case !c.Drained() && c.Open() == 0:
		return "UNFINISHED: every item so far is done, but the queue is not sealed: more may come"
	case !c.Drained():
		return fmt.Sprintf("UNFINISHED: %d of %d items are still open", c.Open(), c.Total())
	case c.Dead > 0:
		return fmt.Sprintf("OK: %d of %d items are done, %d are dead as allowed", c.Done, c.Total(), c.Dead)
	}
	return fmt.Sprintf("OK: all %d items are done", c.Total())
}

func printDead(ctx context.Context, out io.Writer, q *queue.Queue, dead int) error {
	if dead == 0 {
		return nil
	}
	fmt.Fprintf(out, "Dead items:\n")
	shown := 0
	err := q.DeadLetters(ctx, func(r queue.Record) bool {
		letter := record.New(r)
		fmt.Fprintf(out, "  %s (item %s): %s\n", text.Line(r.Payload, itemShown), r.ItemID, text.Line(reason(letter), reasonShown))
		if output, err := text.Decode(letter.Output, letter.OutputEncoding); err == nil && output != "" {
			lines := strings.Split(output, "\n")
			for _, line := range lines[max(0, len(lines)-outputLines):] {
				fmt.Fprintf(out, "    | %s\n", text.Line(line, itemShown))
			}
		}
		shown++
		return shown < deadShown
	})
	if dead > shown {
		fmt.Fprintf(out, "  … and %d more\n", dead-shown)
	}
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
