package monitor

import (
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
)

// Snapshot is the run at one instant.
type Snapshot struct {
	Queue     string       `json:"queue"`
	Actions   bool         `json:"actions"`  // whether this monitor allows them
	MaxDead   int          `json:"max_dead"` // dead items with which the run still counts as a success
	State     report.State `json:"state"`
	Summary   string       `json:"summary"` // the state in a sentence
	Total     int          `json:"total"`
	Open      int          `json:"open"` // neither done nor dead nor cancelled: what KEDA scales by
	Ready     int          `json:"ready"`
	Leased    int          `json:"leased"`
	Delayed   int          `json:"delayed"`
	Suspects  int          `json:"suspects"`
	Dead      int          `json:"dead"`
	Done      int          `json:"done"`
	Cancelled int          `json:"cancelled"`
	Failed    int          `json:"failed"`
	Snoozed   int          `json:"snoozed"`
	Returned  int          `json:"returned"`
	Expired   int          `json:"expired"`
	Revived   int          `json:"revived"`
	Dropped   int          `json:"results_dropped"`
	Sealed    bool         `json:"sealed"`
	Rate      float64      `json:"rate"`               // items per second lately
	Seconds   float64      `json:"seconds"`            // from the first lease until the end, or until now
	Left      *float64     `json:"left"`               // seconds left at this rate, null if unknown
	Now       time.Time    `json:"now"`                // Redis's clock
	Started   *time.Time   `json:"started,omitempty"`  // first lease
	Finished  *time.Time   `json:"finished,omitempty"` // drained
}

func (s *Server) snapshot(r *run, c queue.Counts) Snapshot {
	now := r.sampler.conclude(c, s.MaxDead)
	shot := Snapshot{
		Queue: r.queue.Name, Actions: s.Actions, MaxDead: s.MaxDead.Of(c.Total()),
		State: now.State, Summary: now.Sentence(), Total: c.Total(), Open: c.Open(), Ready: c.Ready, Leased: c.Leased, Delayed: c.Delayed, Suspects: c.Suspects,
		Dead: c.Dead, Done: c.Done, Cancelled: c.Cancelled, Failed: c.Failed, Snoozed: c.Snoozed, Returned: c.Returned, Expired: c.Expired,
		Revived: c.Revived, Dropped: c.ResultsDropped, Sealed: c.Sealed, Now: c.Now,
	}
	if !c.Drained() {
		shot.Rate = r.sampler.rate()
	}
	shot.Started, shot.Finished, shot.Seconds = times(c)
	if shot.Rate > 0 {
		left := float64(c.Open()) / shot.Rate
		shot.Left = &left
	}
	return shot
}
