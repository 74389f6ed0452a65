package dispatch

import (
	"encoding/json"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/report"
)

const (
	statusEvery  = 2 * time.Second // that a status is reported at most
	recentKept   = 50              // attempts whose durations are in a status
	statusReason = 200             // bytes of the last error's reason
	statusItem   = 200             // bytes of an item
)

// Status is what a worker reports of itself while it lives. It travels with the calls that the worker makes anyway.
type Status struct {
	Pod       string       `json:"pod"`
	Node      string       `json:"node,omitempty"`
	Started   time.Time    `json:"started"`
	Done      int          `json:"done"`
	Failed    int          `json:"failed"` // attempts, the last ones of dead items included
	Dead      int          `json:"dead"`
	Rate      float64      `json:"rate"`    // items per second lately that became done or dead
	Running   int          `json:"running"` // items that run
	Item      *RunningItem `json:"item,omitempty"`
	Recent    []float64    `json:"recent,omitempty"` // seconds that the latest attempts took
	LastError *LastError   `json:"last_error,omitempty"`
}

// RunningItem is the item that has been running for the longest time.
type RunningItem struct {
	ID      string    `json:"id"`
	Attempt int       `json:"attempt"` // which it is, from 1
	Since   time.Time `json:"since"`
	record.Payload
}

// LastError is the latest failed attempt.
type LastError struct {
	At     time.Time `json:"at"`
	ItemID string    `json:"item_id"`
	Reason string    `json:"reason"`
}

// reporter makes the status.
type reporter struct {
	status   Status
	course   report.Course
	reported time.Time
	recent   [recentKept]time.Duration // of the latest attempts, in a ring
	attempts int                       // that there were
}

// ended takes in an attempt that came to its end.
func (r *reporter) ended(a *attempt) {
	r.recent[r.attempts%recentKept] = a.Duration
	r.attempts++
}

// statusReport returns the status as JSON if it is time for one, else "".
func (d *dispatcher) statusReport(now time.Time) string {
	r := &d.reporter
	if now.Sub(r.reported) < statusEvery {
		return ""
	}
	r.reported = now
	s := &r.status
	s.Done, s.Failed, s.Dead, s.Running = d.stats.Done, d.stats.Failed, d.stats.Dead, d.stats.Running
	r.course.Saw(queue.Counts{Exists: true, Now: now, Started: s.Started, Done: s.Done, Dead: s.Dead})
	s.Rate = r.course.PerSecond()
	s.Recent = s.Recent[:0]
	for _, took := range r.recent[:min(r.attempts, recentKept)] {
		s.Recent = append(s.Recent, took.Round(time.Microsecond).Seconds())
	}
	s.Item = d.longest()
	encoded, err := json.Marshal(s)
	if err != nil {
		panic(err) // it holds nothing that JSON cannot express
	}
	return string(encoded)
}

// longest returns the item that has been running for the longest time, nil without any.
func (d *dispatcher) longest() *RunningItem {
	var oldest *chunk
	for c := range d.chunks {
		if c.taken < c.to-c.from && (oldest == nil || c.mark.Before(oldest.mark)) {
			oldest = c
		}
	}
	if oldest == nil {
		return nil
	}
	position := oldest.from
	for position < oldest.to-1 && oldest.batch.has(oldest.batch.bitmap, position) {
		position++
	}
	item := oldest.batch.Items[position]
	return &RunningItem{item.ID, item.Attempts + 1, oldest.mark.UTC().Truncate(time.Millisecond), record.NewPayload(item.Payload, statusItem)}
}
