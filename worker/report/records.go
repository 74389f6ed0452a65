package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
)

// line is a record as results and dead print it.
type line struct {
	Item         string    `json:"item"`
	ItemEncoding string    `json:"itemEncoding,omitempty"` // "base64" if the item is not UTF-8
	ID           string    `json:"id"`
	Crashes      int       `json:"crashes,omitempty"` // workers that died on it
	Recorded     time.Time `json:"recorded"`          // by Redis's clock
	dispatch.Letter
}

// Record writes a dead letter or a result as a line of JSON.
func Record(out io.Writer, r queue.Record) error {
	l := line{ID: r.ItemID, Crashes: r.Crashes, Recorded: recorded(r.Key)}
	l.Item, l.ItemEncoding = handler.Text(r.Payload)
	var err error
	if l.Letter, err = dispatch.LetterOf(r); err != nil {
		return fmt.Errorf("the record of item %s: %w", r.ItemID, err)
	}
	if r.Report == "" {
		l.Attempt = r.Attempts
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false) // this is for pipes and terminals, not for web pages
	return encoder.Encode(l)
}

// recorded reads the time in the key of a stream's entry: milliseconds, '-', a number.
func recorded(key string) time.Time {
	ms, _, _ := strings.Cut(key, "-")
	at, _ := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(at).UTC()
}
