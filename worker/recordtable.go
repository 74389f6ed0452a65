package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/report"
	"github.com/workqueue/workqueue/worker/terminal"
	"github.com/workqueue/workqueue/worker/text"
)

// cellLength limits a text in a table, in characters. The terminal's width limits it further.
const cellLength = 1000

// recordColumn is a column of a table of records.
type recordColumn struct {
	terminal.Column
	cell func(record.Record) terminal.Cell
}

func textColumn(name string, whole bool, of func(record.Record) string) recordColumn {
	return recordColumn{terminal.Column{Name: name, Whole: whole}, func(r record.Record) terminal.Cell { return terminal.Cell{Text: of(r)} }}
}

var (
	idColumn      = textColumn("ID", true, func(r record.Record) string { return text.Line(r.ID, cellLength) })
	itemColumn    = textColumn("ITEM", false, func(r record.Record) string { return shownText(r.Item, r.ItemEncoding) })
	triesColumn   = textColumn("TRIES", true, func(r record.Record) string { return fmt.Sprint(r.Number) })
	tryColumn     = textColumn("TRY", true, func(r record.Record) string { return fmt.Sprint(r.Number) })
	tookColumn    = textColumn("TOOK", true, func(r record.Record) string { return report.Duration(seconds(r.Seconds)) })
	endedColumn   = textColumn("ENDED", true, func(r record.Record) string { return report.Clock(r.Recorded) })
	reasonColumn  = textColumn("REASON", false, func(r record.Record) string { return orNothing(r.Reason) })
	outputColumn  = textColumn("OUTPUT", false, func(r record.Record) string { return orNothing(lastLine(r)) })
	outcomeColumn = recordColumn{terminal.Column{Name: "OUTCOME", Whole: true}, func(r record.Record) terminal.Cell {
		return terminal.Cell{Text: text.Line(string(r.Outcome), cellLength), Colour: outcomeColours[r.Outcome]}
	}}
)

// recordColumns has the columns for each kind of records. What a terminal has no room for is at the end.
var recordColumns = map[queue.Kind][]recordColumn{
	queue.KindDead:    {idColumn, itemColumn, triesColumn, endedColumn, reasonColumn, outputColumn},
	queue.KindResults: {idColumn, itemColumn, tookColumn, endedColumn, outputColumn},
	queue.KindHistory: {idColumn, itemColumn, outcomeColumn, tryColumn, tookColumn, endedColumn, reasonColumn},
}

var outcomeColours = map[queue.Outcome]terminal.Colour{
	queue.OutcomeDone:   terminal.Good,
	queue.OutcomeDead:   terminal.Bad,
	queue.OutcomeFailed: terminal.Warn,
}

// shownText returns a text of a record as a terminal can show it.
func shownText(encoded, encoding string) string {
	raw, err := text.Decode(encoded, encoding)
	if err != nil {
		raw = encoded
	}
	return text.Line(raw, cellLength)
}

func orNothing(s string) string {
	if s == "" {
		return ""
	}
	return text.Line(s, cellLength)
}

// recordTable prints records on a terminal, a row for each.
type recordTable struct {
	*terminal.Table
	columns []recordColumn
}

func newRecordTable(out io.Writer, t *terminal.Terminal, kind queue.Kind) recordTable {
	table := recordTable{columns: recordColumns[kind]}
	var columns []terminal.Column
	for _, column := range table.columns {
		columns = append(columns, column.Column)
	}
	table.Table = terminal.NewTable(out, t, columns...)
	return table
}

// Write prints a record.
func (t recordTable) Write(r record.Record) error {
	cells := make([]terminal.Cell, len(t.columns))
	for i, column := range t.columns {
		cells[i] = column.cell(r)
	}
	return t.Row(cells...)
}

// recordWriter prints records.
type recordWriter interface {
	Write(record.Record) error
	Flush() error
}

// autoFormat stands for a table on a terminal, and for JSON Lines elsewhere.
const autoFormat = "auto"

// newRecordWriter returns what prints the records of a kind to standard output, through a buffer.
func newRecordWriter(out *bufio.Writer, kind queue.Kind, format string) recordWriter {
	t := terminal.Of(os.Stdout)
	switch {
	case format == autoFormat && t != nil:
		return newRecordTable(out, t, kind)
	case format == autoFormat:
		format = string(record.FormatJSONL)
	}
	return record.NewWriter(record.Format(format), forTerminal(out))
}
