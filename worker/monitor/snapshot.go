package monitor

import (
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
)

// Snapshot is the run at one instant. As JSON it has a field for each state of items, too.
type Snapshot struct {
	Queue        string       `json:"queue"`
	Actions      bool         `json:"actions"`  // whether this monitor allows them
	MaxDead      int          `json:"max_dead"` // dead items with which the run still counts as a success
	State        report.State `json:"state"`
	Summary      string       `json:"summary"`  // the state in a sentence
	Pausable     bool         `json:"pausable"` // there is something that a pause holds back
	Total        int          `json:"total"`
	Open         int          `json:"open"`          // neither done nor dead nor cancelled: what KEDA scales by
	Ended        int          `json:"ended"`         // done, dead or cancelled
	DonePercent  float64      `json:"done_percent"`  // of the items that were not cancelled
	EndedPercent float64      `json:"ended_percent"` // of all items
	Attempts     int          `json:"attempts"`      // that have ended
	Failed       int          `json:"failed"`
	Snoozed      int          `json:"snoozed"`
	Returned     int          `json:"returned"`
	Expired      int          `json:"expired"`
	Revived      int          `json:"revived"`
	Dropped      int          `json:"results_dropped"`
	Sealed       bool         `json:"sealed"`
	Rate         float64      `json:"rate"`               // items per second lately
	Average      float64      `json:"average"`            // items per second over the whole run
	Seconds      float64      `json:"seconds"`            // from the first lease until the end, or until now
	Left         *float64     `json:"left"`               // seconds left at this rate, null if unknown
	Now          time.Time    `json:"now"`                // Redis's clock
	Started      *time.Time   `json:"started,omitempty"`  // first lease
	Finished     *time.Time   `json:"finished,omitempty"` // end of the run: drained, or stopped early

	Items queue.ItemCounts `json:"-"`
}

type plainSnapshot Snapshot

// MarshalJSON implements json.Marshaler.
func (s Snapshot) MarshalJSON() ([]byte, error) { return s.Items.MarshalWith(plainSnapshot(s)) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Snapshot) UnmarshalJSON(encoded []byte) error {
	return s.Items.UnmarshalWith(encoded, (*plainSnapshot)(s))
}

func (s *Server) snapshot(r *run, c queue.Counts) Snapshot {
	now := r.sampler.conclude(c, s.MaxDead)
	shot := Snapshot{
		Queue: r.queue.Name, Actions: s.Actions, MaxDead: s.MaxDead.Of(c.Total()), State: now.State, Summary: now.Sentence(), Pausable: now.State.Kind().Pausable,
		Items: c.Items(), Total: c.Total(), Open: c.Open(), Ended: c.Ended(), DonePercent: report.DonePercent(c), EndedPercent: report.EndedPercent(c),
		Attempts: c.Done + c.Dead + c.Revived + c.Failed, Failed: c.Failed, Snoozed: c.Snoozed, Returned: c.Returned, Expired: c.Expired, Revived: c.Revived,
		Dropped: c.ResultsDropped, Sealed: c.Sealed, Now: c.Now, Average: report.Average(c),
	}
	if !report.Ended(c) {
		shot.Rate = r.sampler.rate()
	}
	shot.Started, shot.Finished, shot.Seconds = times(c)
	if shot.Rate > 0 {
		left := float64(c.Open()) / shot.Rate
		shot.Left = &left
	}
	return shot
}
