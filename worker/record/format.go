package record

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/text"
)

// Format is how records are written.
type Format string

// The formats.
const (
	FormatJSONL Format = "jsonl" // a line of JSON for each record
	FormatCSV   Format = "csv"   // a row for each record, after a row of names
	FormatRaw   Format = "raw"   // the outputs, one after another; a text without a newline at its end gets one
)

// Writer writes records in a format.
type Writer struct {
	write func(Record) error
	flush func() error
}

// NewWriter returns a writer of a format.
func NewWriter(format Format, out io.Writer) Writer {
	unbuffered := func() error { return nil }
	switch format {
	case FormatCSV:
		rows := csv.NewWriter(out)
		_ = rows.Write(columns) // Error reports it
		return Writer{func(r Record) error { return rows.Write(r.row()) }, func() error { rows.Flush(); return rows.Error() }}
	case FormatRaw:
		return Writer{func(r Record) error { return r.writeOutput(out) }, unbuffered}
	}
	return Writer{func(r Record) error { return r.Write(out) }, unbuffered}
}

// Write writes a record.
func (w Writer) Write(r Record) error { return w.write(r) }

// Flush writes what is buffered.
func (w Writer) Flush() error { return w.flush() }

func (r Record) writeOutput(out io.Writer) error {
	output, err := text.Decode(r.Output, r.OutputEncoding)
	if err != nil {
		output = r.Output
	}
	if r.OutputEncoding == "" && output != "" && !strings.HasSuffix(output, "\n") {
		output += "\n"
	}
	_, err = io.WriteString(out, output)
	return err
}

var columns = []string{"id", "item", "item_encoding", "recorded", "outcome", "reason", "exit_code", "attempt", "crashes", "host", "node", "started", "seconds",
	"output", "output_encoding", "truncated"}

func (r Record) row() []string {
	started := ""
	if !r.Started.IsZero() {
		started = r.Started.Format(time.RFC3339Nano)
	}
	return []string{r.ID, cell(r.Item), r.ItemEncoding, r.Recorded.Format(time.RFC3339Nano), string(r.Outcome), cell(r.Reason), strconv.Itoa(r.ExitCode),
		strconv.Itoa(r.Number), strconv.Itoa(r.Crashes), cell(r.Host), cell(r.Node), started, strconv.FormatFloat(r.Seconds, 'f', -1, 64),
		cell(r.Output), r.OutputEncoding, strconv.FormatBool(r.Truncated)}
}

// cell keeps a text from being run as a formula by the spreadsheet that opens it.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
