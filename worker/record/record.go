// Package record is what is kept of an attempt: a result, or a dead letter that says why an item is dead. The verbs results
// and dead and the monitor print it as the same JSON. Its names are in snake_case, as in the logs.
package record

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// Attempt is what a worker reports of an item's last attempt. The queue keeps its JSON beside the item.
type Attempt struct {
	Outcome        queue.Outcome `json:"outcome,omitempty"` // only in the history
	Reason         string        `json:"reason,omitempty"`  // why the item is dead, one line
	Number         int           `json:"attempt,omitempty"`
	Host           string        `json:"host,omitempty"` // of the worker
	Node           string        `json:"node,omitempty"`
	Started        time.Time     `json:"started,omitzero"`
	Seconds        float64       `json:"seconds"` // how long it took
	ExitCode       int           `json:"exit_code"`
	Output         string        `json:"output"`                    // the result, or the last lines of a dead item's output
	OutputEncoding string        `json:"output_encoding,omitempty"` // text.Base64 if the output is not UTF-8
	Truncated      bool          `json:"truncated,omitempty"`       // there was more output than is kept or shown
}

// SetOutput sets the output from its bytes.
func (a *Attempt) SetOutput(raw string) { a.Output, a.OutputEncoding = text.Encode(raw) }

// JSON returns the attempt as the queue keeps it.
func (a Attempt) JSON() string {
	encoded, err := json.Marshal(a)
	if err != nil {
		panic(err) // it holds nothing that JSON cannot express
	}
	return string(encoded)
}

// Payload is an item's bytes as JSON can hold them.
type Payload struct {
	Item         string `json:"item"`
	ItemEncoding string `json:"item_encoding,omitempty"` // text.Base64 if the item is not UTF-8
	ItemBytes    int    `json:"item_bytes,omitempty"`    // length of the whole item, if Item is only its beginning
}

// NewPayload returns an item's bytes, or the first of them if it has more than atMost.
func NewPayload(raw string, atMost int) Payload {
	var p Payload
	if len(raw) > atMost {
		p.ItemBytes = len(raw)
	}
	p.Item, p.ItemEncoding = text.Encode(text.Head(raw, atMost))
	return p
}

// Record is a result or a dead letter.
type Record struct {
	Payload
	ID       string    `json:"id"`       // the item's
	Key      string    `json:"key"`      // names the record, in a retry for example
	Recorded time.Time `json:"recorded"` // by Redis's clock
	Crashes  int       `json:"crashes,omitempty"`
	Attempt
}

// New returns the record that the queue keeps as r. A report that cannot be read, of another version perhaps, becomes its reason.
func New(r queue.Record) Record { return NewPart(r, math.MaxInt) }

// NewPart is New with atMost bytes of the item, of the reason and of the output.
func NewPart(r queue.Record, atMost int) Record {
	record := Record{Payload: NewPayload(r.Payload, atMost), ID: r.ItemID, Key: r.Key, Recorded: recorded(r.Key), Crashes: r.Crashes}
	switch a := &record.Attempt; {
	case r.Report == "":
		a.Number = r.Attempts
		a.Reason = fmt.Sprintf("%d workers died while they had the item, the last ones while they ran it alone", r.Crashes)
	case json.Unmarshal([]byte(r.Report), a) != nil:
		*a = Attempt{Number: r.Attempts, Reason: r.Report}
	case a.Number == 0: // the queue itself declared the item dead
		a.Number = r.Attempts
	}
	record.Reason = text.Head(record.Reason, atMost)
	if record.OutputEncoding == "" && len(record.Output) > atMost {
		record.Output, record.Truncated = text.Head(record.Output, atMost), true
	}
	return record
}

// Contains reports whether the item, its ID, the reason, the output or the name of the host or node contains part, in upper or lower case.
func (r Record) Contains(part string) bool {
	item, err := text.Decode(r.Item, r.ItemEncoding)
	if err != nil {
		item = r.Item
	}
	output, err := text.Decode(r.Output, r.OutputEncoding)
	if err != nil {
		output = r.Output
	}
	part = strings.ToLower(part)
	for _, field := range []string{item, r.ID, r.Reason, output, r.Host, r.Node} {
		if strings.Contains(strings.ToLower(field), part) {
			return true
		}
	}
	return false
}

// Write writes the record as a line of JSON that a terminal can show.
func (r Record) Write(out io.Writer) error {
	var line strings.Builder
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false) // this is for pipes and terminals, not for web pages
	if err := encoder.Encode(r); err != nil {
		return err
	}
	_, err := io.WriteString(out, text.JSON([]byte(line.String())))
	return err
}

// recorded returns the time in the key of a stream's entry: milliseconds, "-", a number.
func recorded(key string) time.Time {
	ms, _, _ := strings.Cut(key, "-")
	at, _ := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(at).UTC()
}
