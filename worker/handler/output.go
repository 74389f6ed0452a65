package handler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// maxLine is where a line that does not end is cut, so that output without newlines takes no memory.
const maxLine = 64 << 10

// Output passes on what commands print.
type Output struct {
	Format string // raw (or ""), tagged or json
	Out    io.Writer
	Err    io.Writer
	mu     sync.Mutex // a line is written whole
}

func (o *Output) raw() bool { return o.Format == "" || o.Format == "raw" }

// writers returns where a command that runs an item, or several under one label, prints to. The function that comes
// with them is called when it has ended: a last line may have no newline.
func (o *Output) writers(item queue.Item, label string) (stdout, stderr io.Writer, flush func()) {
	if o.raw() {
		return o.Out, o.Err, func() {}
	}
	out := &lineWriter{output: o, item: item, label: label, stream: "stdout", to: o.Out}
	err := &lineWriter{output: o, item: item, label: label, stream: "stderr", to: o.Err}
	return out, err, func() { out.flush(); err.flush() }
}

// lineWriter turns what one stream of one command prints into lines that tell where they come from.
type lineWriter struct {
	output *Output
	item   queue.Item
	label  string
	stream string
	to     io.Writer
	open   []byte       // a line that has not ended yet
	lines  bytes.Buffer // for those that have
}

// Write implements io.Writer.
func (w *lineWriter) Write(p []byte) (int, error) {
	lines := &w.lines
	lines.Reset()
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		if room := maxLine - len(w.open); len(line) > room {
			line, after, ended = rest[:room], rest[room:], true
		}
		w.open = append(w.open, line...)
		if rest = after; ended {
			w.finish(lines)
		}
		if lines.Len() > 0 && (len(rest) == 0 || lines.Len() >= maxLine) {
			if err := w.pass(lines.Bytes()); err != nil {
				return 0, err
			}
			lines.Reset()
		}
	}
	return len(p), nil
}

// flush passes on a line that the command has not ended.
func (w *lineWriter) flush() {
	if len(w.open) > 0 {
		w.lines.Reset()
		w.finish(&w.lines)
		_ = w.pass(w.lines.Bytes())
	}
}

func (w *lineWriter) pass(lines []byte) error {
	w.output.mu.Lock()
	defer w.output.mu.Unlock()
	_, err := w.to.Write(lines)
	return err
}

// outputLine is a line of output as JSON. What is not UTF-8 in it is replaced: this is a log.
type outputLine struct {
	Time    time.Time `json:"time"`
	Item    string    `json:"item"`
	ID      string    `json:"id,omitempty"`
	Attempt int       `json:"attempt,omitempty"`
	Stream  string    `json:"stream"`
	Line    string    `json:"line"`
}

// finish puts the open line, in its final form, behind others.
func (w *lineWriter) finish(lines *bytes.Buffer) {
	if w.output.Format == "tagged" {
		lines.WriteString(w.label + ": ")
		lines.Write(w.open)
		lines.WriteByte('\n')
	} else {
		line := outputLine{Time: time.Now().UTC(), Item: w.label, ID: w.item.ID, Stream: w.stream, Line: string(w.open)}
		if w.item.ID != "" {
			line.Attempt = w.item.Attempts + 1
		}
		encoder := json.NewEncoder(lines)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(line); err != nil {
			panic(err) // it holds nothing that JSON cannot express
		}
	}
	w.open = w.open[:0]
}

// labelLength is how much of an item stands before each of its lines.
const labelLength = 60

// label makes an item fit for the beginning of a line.
func label(payload string) string {
	kept := text.Shorten(payload, utf8.UTFMax*labelLength) // items may be large
	if !utf8.ValidString(kept) || strings.ContainsFunc(kept, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		kept = fmt.Sprintf("%+q", kept)
	}
	if utf8.RuneCountInString(kept) > labelLength {
		kept = string([]rune(kept)[:labelLength-1]) + "…"
	}
	return kept
}
