package record

import (
	"context"

	"github.com/workqueue/workqueue/worker/queue"
)

// WindowRecords is how many records a window has at most.
const WindowRecords = 5000

const windowBytes = 16 << 20

// Window is a bounded look at records, from the latest to older ones: however many there are, it costs Redis and the reader no
// more than 5,000 records or 16 MiB.
type Window struct {
	Read  int    // records read
	Next  string // the key before which the next window begins, empty at the end
	bytes int
}

// Scan calls each for the records before a key, the latest first, until it returns false or the window is full. A record for
// which it returns false is not counted: the next window starts with it.
func (w *Window) Scan(ctx context.Context, records queue.Records, before string, each func(queue.Record) bool) error {
	last := before
	return records.Latest(ctx, before, func(r queue.Record) bool {
		if w.Read >= WindowRecords || w.bytes >= windowBytes || !each(r) {
			w.Next = last
			return false
		}
		w.Read++
		w.bytes += len(r.Payload) + len(r.Report)
		last = r.Key
		return true
	})
}
