package process

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/text"
)

// maxLine is the length at which a longer line is cut, so that output without newlines takes no memory.
const maxLine = 64 << 10

// Output passes on what processes print.
type Output struct {
	Format string // raw (or ""), tagged or json
	Out    io.Writer
	Err    io.Writer
	mu     sync.Mutex // held while lines are written
}

// Origin names the source of some output.
type Origin struct {
	Label   string // precedes each line in the format tagged
	ID      string // of the only item, or ""
	Attempt int    // at that item, or 0
}

// Raw reports whether output is passed on unchanged.
func (o *Output) Raw() bool { return o.Format == "" || o.Format == "raw" }

// Writers returns where a process prints to. Call flush when the process has ended: its last line may have no newline.
func (o *Output) Writers(origin Origin) (stdout, stderr io.Writer, flush func()) {
	if o.Raw() {
		return o.Out, o.Err, func() {}
	}
	out := &lineWriter{output: o, origin: origin, stream: "stdout", to: o.Out}
	err := &lineWriter{output: o, origin: origin, stream: "stderr", to: o.Err}
	return out, err, func() { out.flush(); err.flush() }
}

// lineWriter adds the origin to each line that a process prints to one stream.
type lineWriter struct {
	output *Output
	origin Origin
	stream string
	to     io.Writer
	open   []byte       // a line that has not ended yet
	lines  bytes.Buffer // lines that have ended
}

// Write implements io.Writer.
func (w *lineWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		room := maxLine - len(w.open)
		if len(line) > room {
			w.open = append(w.open, rest[:room]...)
			w.finishLong()
			after = rest[room:]
		} else {
			w.open = append(w.open, line...)
			if ended {
				w.finish()
			}
		}
		rest = after
		if w.lines.Len() > 0 && (len(rest) == 0 || w.lines.Len() >= maxLine) {
			if err := w.pass(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// flush passes on a last line without a newline.
func (w *lineWriter) flush() {
	if len(w.open) > 0 {
		w.finish()
		_ = w.pass()
	}
}

// pass passes on the lines that have ended.
func (w *lineWriter) pass() error {
	w.output.mu.Lock()
	defer w.output.mu.Unlock()
	_, err := w.to.Write(w.lines.Bytes())
	w.lines.Reset()
	return err
}

// outputLine is a line of output as JSON. Bytes that are not UTF-8 are replaced: this is a log.
type outputLine struct {
	Time    time.Time `json:"time"`
	Item    string    `json:"item"`
	ID      string    `json:"id,omitempty"`
	Attempt int       `json:"attempt,omitempty"`
	Stream  string    `json:"stream"`
	Line    string    `json:"line"`
}

// finishLong ends an open line that has become too long, before a character that it does not hold whole.
func (w *lineWriter) finishLong() {
	whole := len(w.open) - text.Unfinished(w.open)
	begun := string(w.open[whole:])
	w.open = w.open[:whole]
	w.finish()
	w.open = append(w.open, begun...)
}

// finish ends the open line.
func (w *lineWriter) finish() {
	if w.output.Format == "tagged" {
		w.lines.WriteString(w.origin.Label + ": ")
		w.lines.Write(w.open)
		w.lines.WriteByte('\n')
	} else {
		line := outputLine{Time: time.Now().UTC(), Item: w.origin.Label, ID: w.origin.ID, Attempt: w.origin.Attempt, Stream: w.stream,
			Line: string(w.open)}
		encoder := json.NewEncoder(&w.lines)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(line); err != nil {
			panic(err) // it holds nothing that JSON cannot express
		}
	}
	w.open = w.open[:0]
}
