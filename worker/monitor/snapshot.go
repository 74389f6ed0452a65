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
	stateAway     = "away" // nobody knows: Redis does not answer
	stateGone     = "gone" // it was there, and is not any more
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
	State    string     `json:"state"`
	Says     string     `json:"says"` // the same in a sentence
	Total    int        `json:"total"`
	Ready    int        `json:"ready"`
	Leased   int        `json:"leased"`
	Delayed  int        `json:"delayed"`
	Suspects int        `json:"suspects"`
	Dead     int        `json:"dead"`
	Done     int        `json:"done"`
	Failed   int        `json:"failed"`
	Expired  int        `json:"expired"`
	Revived  int        `json:"revived"`
	Sealed   bool       `json:"sealed"`
	Rate     float64    `json:"rate"`              // items a second, lately
	Seconds  float64    `json:"seconds"`           // since the first lease, until the end
	Left     *float64   `json:"left"`              // seconds at this rate, null if nobody can tell
	Now      time.Time  `json:"now"`               // Redis's clock
	Started  *time.Time `json:"started,omitempty"` // first lease
	Finished *time.Time `json:"finished,omitempty"`
}

// Percent is how much of the run is over. It is 100 only when all of it is.
func (s Snapshot) Percent() float64 {
	percent := share(s.Done+s.Dead, s.Total)
	if s.Done+s.Dead < s.Total {
		return min(percent, 99.9)
	}
	return percent
}

// share is n in percent of the total.
func share(n, total int) float64 {
	if total == 0 {
		return 0
	}
	return 100 * float64(n) / float64(total)
}

func (s *Server) snapshot(c queue.Counts) Snapshot {
	shot := Snapshot{
		State: s.state(c), Total: c.Total(), Ready: c.Ready, Leased: c.Leased, Delayed: c.Delayed, Suspects: c.Suspects,
		Dead: c.Dead, Done: c.Done, Failed: c.Failed, Expired: c.Expired, Revived: c.Revived, Sealed: c.Sealed, Now: c.Now,
	}
	if !c.Drained() {
		shot.Rate = s.sampler.rate()
	}
	end := c.Now
	if !c.Finished.IsZero() {
		end, shot.Finished = c.Finished, &c.Finished
	}
	if !c.Started.IsZero() {
		shot.Started = &c.Started
		shot.Seconds = end.Sub(c.Started).Seconds()
	}
	if shot.Rate > 0 {
		left := float64(c.Open()) / shot.Rate
		shot.Left = &left
	}
	shot.Says = shot.sentence(s.sampler.idle() >= idleAfter)
	return shot
}

func (s *Server) state(c queue.Counts) string {
	switch {
	case !c.Exists && s.sampler.known():
		return stateGone
	case !c.Exists:
		return stateUnseeded
	case c.Stopped:
		return stateStopped
	case c.Drained() && c.Dead > s.MaxDead:
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

// sentence says how the run is to somebody who has just been woken up.
func (s Snapshot) sentence(idle bool) string {
	dead := ""
	if s.Dead > 0 {
		dead = fmt.Sprintf(" %s %s failed for good.", grouped(s.Dead), plural(s.Dead, "item has", "items have"))
	}
	open := s.Ready + s.Leased + s.Delayed + s.Suspects
	switch s.State {
	case stateGone:
		return "The queue is gone: Redis lost its data, or its records have expired."
	case stateUnseeded:
		return "Nothing was put into this queue yet."
	case stateOpen:
		return "Empty, and open: it waits for more items." + dead
	case stateStopped:
		return "Stopped early, because too many items failed." + dead
	case stateFailed:
		return "Over, and failed." + dead
	case stateDone:
		return fmt.Sprintf("Over: %s %s done.", grouped(s.Done), plural(s.Done, "item is", "items are")) + dead
	case statePaused:
		if s.Leased > 0 {
			return fmt.Sprintf("Paused: nothing is begun until somebody resumes; %s still %s.", grouped(s.Leased), plural(s.Leased, "runs", "run")) + dead
		}
		return "Paused: nothing is begun until somebody resumes." + dead
	}
	switch {
	case s.Leased == 0 && s.Ready+s.Suspects == 0:
		return fmt.Sprintf("%s to go, waiting for another attempt.", grouped(open)) + dead
	case s.Leased == 0 && idle:
		return "Items wait, and no worker takes them: are there any?" + dead
	case s.Started == nil:
		return "Full, and waiting for the first worker."
	case s.Left == nil:
		return fmt.Sprintf("Running: %s to go.", grouped(open)) + dead
	}
	return fmt.Sprintf("Running: %s to go, about %s.", grouped(open), about(*s.Left)) + dead
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// about is a time in seconds, as exact as anybody wants to know it.
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
