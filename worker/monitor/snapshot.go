package monitor

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// States of a run.
const (
	stateVanished = "vanished" // Redis had it, and no longer has it
	stateUnseeded = "unseeded"
	stateOpen     = "open"
	stateRunning  = "running"
	statePaused   = "paused"
	stateStopped  = "stopped"
	stateDone     = "done"
	stateFailed   = "failed"
)

// Snapshot is the run at one instant.
type Snapshot struct {
	Queue    string     `json:"queue"`
	Actions  bool       `json:"actions"`  // whether this monitor allows them
	MaxDead  int        `json:"max_dead"` // dead items with which the run still counts as a success
	State    string     `json:"state"`
	Summary  string     `json:"summary"` // the state in a sentence
	Total    int        `json:"total"`
	Open     int        `json:"open"` // neither done nor dead: what KEDA scales by
	Ready    int        `json:"ready"`
	Leased   int        `json:"leased"`
	Delayed  int        `json:"delayed"`
	Suspects int        `json:"suspects"`
	Dead     int        `json:"dead"`
	Done     int        `json:"done"`
	Failed   int        `json:"failed"`
	Snoozed  int        `json:"snoozed"`
	Returned int        `json:"returned"`
	Expired  int        `json:"expired"`
	Revived  int        `json:"revived"`
	Dropped  int        `json:"results_dropped"`
	Sealed   bool       `json:"sealed"`
	Rate     float64    `json:"rate"`               // items per second lately
	Seconds  float64    `json:"seconds"`            // from the first lease until the end, or until now
	Left     *float64   `json:"left"`               // seconds left at this rate, null if unknown
	Now      time.Time  `json:"now"`                // Redis's clock
	Started  *time.Time `json:"started,omitempty"`  // first lease
	Finished *time.Time `json:"finished,omitempty"` // drained
}

func (s *Server) snapshot(r *run, c queue.Counts) Snapshot {
	shot := Snapshot{
		Queue: r.queue.Name, Actions: s.Actions, MaxDead: s.MaxDead,
		State: state(c, s.MaxDead), Total: c.Total(), Open: c.Open(), Ready: c.Ready, Leased: c.Leased, Delayed: c.Delayed, Suspects: c.Suspects,
		Dead: c.Dead, Done: c.Done, Failed: c.Failed, Snoozed: c.Snoozed, Returned: c.Returned, Expired: c.Expired,
		Revived: c.Revived, Dropped: c.ResultsDropped, Sealed: c.Sealed, Now: c.Now,
	}
	if !c.Exists && r.sampler.known() {
		shot.State = stateVanished
	}
	if !c.Drained() {
		shot.Rate = r.sampler.rate()
	}
	shot.Started, shot.Finished, shot.Seconds = times(c)
	if shot.Rate > 0 {
		left := float64(c.Open()) / shot.Rate
		shot.Left = &left
	}
	shot.Summary = shot.sentence(r.sampler.idle() >= idleAfter)
	return shot
}

func state(c queue.Counts, maxDead int) string {
	switch {
	case !c.Exists:
		return stateUnseeded
	case c.Stopped:
		return stateStopped
	case c.Drained() && c.Dead > maxDead:
		return stateFailed
	case c.Drained():
		return stateDone
	case c.Paused:
		return statePaused
	case c.Open() == 0:
		return stateOpen
	}
	return stateRunning
}

// sentence describes the run to somebody who has just been woken up.
func (s Snapshot) sentence(idle bool) string {
	dead := ""
	if s.Dead > 0 {
		dead = fmt.Sprintf(" %s dead.", counted(s.Dead, "item is", "items are"))
	}
	left := counted(s.Open, "item", "items") + " left"
	switch s.State {
	case stateVanished:
		return "The queue has vanished: Redis lost its data, or the run's records have expired."
	case stateUnseeded:
		return "The queue has not been seeded yet."
	case stateOpen:
		return "Every item so far is finished; more may come." + dead
	case stateStopped:
		return "Stopped early: too many items are dead." + dead
	case stateFailed:
		return "Finished with too many dead items." + dead
	case stateDone:
		return "Finished: " + counted(s.Done, "item is", "items are") + " done." + dead
	case statePaused:
		if s.Leased > 0 {
			return fmt.Sprintf("Paused: workers start nothing new; %s still running.", counted(s.Leased, "item is", "items are")) + dead
		}
		return "Paused: workers start nothing new until you resume." + dead
	}
	switch {
	case s.Leased == 0 && s.Ready+s.Suspects == 0:
		return "Running: " + left + ", all waiting for their next attempt." + dead
	case s.Leased == 0 && idle:
		return "Stalled: " + left + ", but no worker takes any. Check that worker pods are running." + dead
	case s.Started == nil:
		return "Seeded: waiting for the first worker."
	case s.Left == nil:
		return "Running: " + left + "." + dead
	}
	return "Running: " + left + ", about " + about(*s.Left) + "." + dead
}

// counted is a number with the noun, or noun and verb, that agrees with it.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// about is a time in seconds, as exact as a person wants to know it.
func about(seconds float64) string {
	switch {
	case seconds < 10:
		return fmt.Sprintf("%.0f s", math.Ceil(seconds))
	case seconds < 90:
		return fmt.Sprintf("%.0f s", 5*math.Ceil(seconds/5))
	case seconds < 90*60:
		return fmt.Sprintf("%.0f min", seconds/60)
	case seconds < 48*3600:
		return fmt.Sprintf("%.1f h", seconds/3600)
	}
	return fmt.Sprintf("%s days", grouped(int(seconds/86400+.5)))
}

// grouped writes a number with a comma at each thousand.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
