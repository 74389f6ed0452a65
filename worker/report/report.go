// Package report shows a person how a run goes and how it went.
package report

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/text"
)

// The report fits a screen of 24 lines.
const (
	failuresShown = 3   // kinds of failure
	outputLines   = 3   // of the examples' output, all together
	itemShown     = 60  // characters of an item, or of a line of output
	reasonShown   = 100 // characters
)

// Dead is what the report shows of the dead items: the most frequent kinds of failure, with an example of each.
type Dead struct {
	failures record.Failures
	examples map[string]record.Record // by key
}

// ReadDead reads what the report shows of the dead items. However many there are, it reads no more than a record.Window.
func ReadDead(ctx context.Context, q *queue.Queue) (Dead, error) {
	records := q.Records(queue.KindDead)
	failures, err := record.CountFailures(ctx, records, "")
	if err != nil {
		return Dead{}, err
	}
	dead := Dead{failures, map[string]record.Record{}}
	var keys []string
	for _, failure := range dead.shown() {
		keys = append(keys, failure.Key)
	}
	examples, err := records.Get(ctx, keys)
	for _, example := range examples {
		dead.examples[example.Key] = record.New(example)
	}
	return dead, err
}

func (d Dead) shown() []record.Failure {
	return d.failures.Failures[:min(len(d.failures.Failures), failuresShown)]
}

// Print writes the report on a run: its counts, its speed, why items are dead, and the conclusion.
func Print(out io.Writer, name string, c queue.Counts, maxDead queue.Portion, dead Dead, conclusion Conclusion) error {
	fmt.Fprintf(out, "Queue %s\n", text.Line(name, len(name)))
	err := printCounts(out, c, maxDead)
	dead.print(out, c.Dead)
	_, last := fmt.Fprintln(out, conclusion.Line())
	return cmp.Or(err, last)
}

func printCounts(out io.Writer, c queue.Counts, maxDead queue.Portion) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, value any, note string) { fmt.Fprintf(table, "  %s\t%v\t%s\n", name, value, note) }
	row("seeded", c.Seeded, "")
	if c.Pushed() > 0 {
		row("pushed", c.Pushed(), "added in other ways than seeding")
	}
	if c.Skipped > 0 {
		row("skipped", c.Skipped, "not seeded, because an earlier run has done them")
	}
	for _, state := range queue.ItemStates {
		if n := state.Of(c); state.Ended && (n > 0 || alwaysShown[state.Name]) {
			row(state.Name, n, note(state, c, maxDead))
		}
	}
	row("retried", c.Failed, "failed attempts that were followed by another")
	if c.Open() > 0 {
		row("open", c.Open(), open(c))
	}
	if c.ResultsDropped > 0 {
		row("results lost", c.ResultsDropped, "the oldest: there were more than worker.maxResults and worker.maxRecordMiB allow")
	}
	if c.HistoryDropped > 0 {
		row("attempts lost", c.HistoryDropped, "the oldest lines of worker records, likewise")
	}
	if c.Expired > 0 {
		row("leases expired", c.Expired, "of workers that died, or were away for too long")
	}
	if took := WallTime(c); took > 0 {
		row("wall time", Duration(took), "from the first lease")
		row("rate", Rate(Average(c)), "")
	}
	return table.Flush()
}

// alwaysShown has the states of items that the report names though no item is in them.
var alwaysShown = map[string]bool{"done": true, "dead": true}

// note returns what the report says beside the number of items in a state.
func note(state queue.ItemState, c queue.Counts, maxDead queue.Portion) string {
	switch state.Name {
	case "dead":
		return allowed(c, maxDead)
	case "cancelled":
		return "taken out by worker cancel; worker records lists them"
	}
	return ""
}

// open lists the items that have not ended by their states.
func open(c queue.Counts) string {
	var parts []string
	for _, state := range queue.ItemStates {
		if !state.Ended {
			parts = append(parts, fmt.Sprintf("%d %s", state.Of(c), state.Name))
		}
	}
	return strings.Join(parts, ", ")
}

func allowed(c queue.Counts, maxDead queue.Portion) string {
	text := fmt.Sprintf("%d allowed", maxDead.Of(c.Total()))
	if maxDead.Percent > 0 {
		text += ", " + maxDead.String()
	}
	return text
}

// print writes the kinds of failure of so many dead items, the most frequent first.
func (d Dead) print(out io.Writer, total int) {
	if total == 0 || d.failures.Read == 0 {
		return
	}
	part := ""
	if d.failures.Next != "" {
		part = fmt.Sprintf(", of the latest %s", grouped(d.failures.Read))
	}
	fmt.Fprintf(out, "Dead items by kind of failure%s:\n", part)
	shown := d.shown()
	left := d.failures.Read
	for _, failure := range shown {
		left -= failure.Count
		fmt.Fprintf(out, "  %s × %s\n", grouped(failure.Count), text.Line(failure.Failure, reasonShown))
		example, known := d.examples[failure.Key]
		if !known { // somebody has retried it meanwhile
			continue
		}
		fmt.Fprintf(out, "    %s (item %s): %s\n", text.Line(cmp.Or(raw(example.Item, example.ItemEncoding), example.Item), itemShown), example.ID, text.Line(reason(example), reasonShown))
		if output := strings.TrimRight(raw(example.Output, example.OutputEncoding), "\n"); output != "" {
			lines := strings.Split(output, "\n")
			for _, line := range lines[max(0, len(lines)-outputLines/len(shown)):] {
				fmt.Fprintf(out, "      | %s\n", text.Line(line, itemShown))
			}
		}
	}
	if left > 0 {
		fmt.Fprintf(out, "  %s of other kinds\n", grouped(left))
	}
	if d.failures.Read > len(shown) {
		fmt.Fprintln(out, "  worker dead prints all")
	}
}

// raw returns the bytes that a text of a record stands for, "" if it cannot be decoded.
func raw(encoded, encoding string) string {
	decoded, err := text.Decode(encoded, encoding)
	if err != nil {
		return ""
	}
	return decoded
}

func reason(r record.Record) string {
	if r.Host == "" { // no worker was left to report
		return r.Reason
	}
	return fmt.Sprintf("%s after %s, the last on %s", r.Reason, Counted(r.Number, "attempt", "attempts"), r.Host)
}
