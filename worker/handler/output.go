package handler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/queue"
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

// writers answers where a command that runs an item, or several under one label, prints to. The function that comes
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
	open   []byte // a line that has not ended yet
}

// Write implements io.Writer.
func (w *lineWriter) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		if room := maxLine - len(w.open); len(line) > room {
			line, rest, ended = p[:room], p[room:], true
		}
		w.open = append(w.open, line...)
		p = rest
		if ended {
			if err := w.print(); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

func (w *lineWriter) flush() {
	if len(w.open) > 0 {
		_ = w.print()
	}
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

func (w *lineWriter) print() error {
	var text bytes.Buffer
	if w.output.Format == "tagged" {
		text.WriteString(w.label + ": ")
		text.Write(w.open)
		text.WriteByte('\n')
	} else {
		line := outputLine{Time: time.Now().UTC(), Item: w.label, ID: w.item.ID, Stream: w.stream, Line: string(w.open)}
		if w.item.ID != "" {
			line.Attempt = w.item.Attempts + 1
		}
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	w.open = w.open[:0]
	w.output.mu.Lock()
	defer w.output.mu.Unlock()
	_, err := w.to.Write(text.Bytes())
	return err
}

// labelLength is how much of an item stands before each of its lines.
const labelLength = 60

// label makes an item fit for the beginning of a line.
func label(payload string) string {
	if !utf8.ValidString(payload) || bytes.ContainsFunc([]byte(payload), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		payload = fmt.Sprintf("%+q", payload)
	}
	if runes := []rune(payload); len(runes) > labelLength {
		return string(runes[:labelLength-1]) + "…"
	}
	return payload
}
