package report

import (
	"fmt"
	"math"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// The rate of a run is that of the last items, however slow they are: so many of them, and over so long, at least.
const (
	rateItems  = 30
	rateWindow = 10 * time.Second
)

// Course follows a run: how it stands, and how fast it is now.
type Course struct {
	seen    []moment
	latest  queue.Counts
	existed bool // the queue was there once
}

// moment is how many attempts had ended an item at one time.
type moment struct {
	at    time.Time
	ended int // dead items that were put back among them, so that it never falls
}

// Saw takes in another look at the run.
func (r *Course) Saw(c queue.Counts) {
	r.latest = c
	r.existed = r.existed || c.Exists
	if !c.Exists {
		return
	}
	now := moment{c.Now, c.Done + c.Dead + c.Revived}
	if n := len(r.seen); n > 1 && r.seen[n-1].ended == now.ended && r.seen[n-2].ended == now.ended {
		r.seen[n-1] = now // nothing has happened
		return
	}
	r.seen = append(r.seen, now)
	for len(r.seen) > 2 && r.enough(r.seen[1]) {
		r.seen = r.seen[1:]
	}
}

func (r *Course) enough(since moment) bool {
	last := r.seen[len(r.seen)-1]
	return last.ended-since.ended >= rateItems && last.at.Sub(since.at) >= rateWindow
}

// PerSecond returns the number of items that become done or dead in a second, 0 if it is not known.
func (r *Course) PerSecond() float64 {
	if len(r.seen) < 2 || !End(r.latest).IsZero() {
		return Average(r.latest)
	}
	first, last := r.seen[0], r.seen[len(r.seen)-1]
	if seconds := last.at.Sub(first.at).Seconds(); seconds > 0 {
		return float64(last.ended-first.ended) / seconds
	}
	return 0
}

// Average returns the number of items a second over the whole run, 0 if it is not known.
func Average(c queue.Counts) float64 {
	if took := WallTime(c).Seconds(); took > 0 {
		return float64(c.Done+c.Dead) / took
	}
	return 0
}

// WallTime returns the time from the first lease to the end of the run, or until now.
func WallTime(c queue.Counts) time.Duration {
	switch ended := End(c); {
	case c.Started.IsZero():
		return 0
	case ended.IsZero():
		return c.Now.Sub(c.Started)
	default:
		return ended.Sub(c.Started)
	}
}

// End returns when the run ended: it was drained, or a worker last reported to it after it was stopped early. It is zero before.
func End(c queue.Counts) time.Time {
	if c.Finished.IsZero() && c.Stopped && !c.LastStep.Open() {
		return c.StoppedAt
	}
	return c.Finished
}

// DonePercent returns how much of what is to be done is done. Items that were cancelled are not to be done. Less than all is less than 100.
func DonePercent(c queue.Counts) float64 { return percent(c.Done, c.Total()-c.Cancelled) }

// EndedPercent returns how many of the items have ended: are done, dead or cancelled. Less than all is less than 100.
func EndedPercent(c queue.Counts) float64 { return percent(c.Ended(), c.Total()) }

// percent returns a share to a tenth, rounded down, so that 100 is all.
func percent(n, of int) float64 {
	if of <= 0 {
		return 0
	}
	return math.Floor(1000*float64(n)/float64(of)) / 10
}

// Existed reports whether the queue was there once.
func (r *Course) Existed() bool { return r.existed }

// Conclude returns the conclusion on the run, with its latest counts and so many dead items allowed.
func (r *Course) Conclude(c queue.Counts, maxDead queue.Portion) Conclusion {
	if !c.Exists && r.existed {
		return Conclusion{StateVanished, "the queue has vanished: Redis lost its data, or the run's records have expired"}
	}
	return conclude(c, maxDead, r.PerSecond())
}

// progressShown has the states of items that a line of progress names though no item is in them.
var progressShown = map[string]bool{"dead": true, "leased": true}

// Progress returns a line on the progress of the run as it was last seen.
func (r *Course) Progress(maxDead queue.Portion) string {
	c := r.latest
	if !c.Exists {
		return r.Conclude(c, maxDead).Text
	}
	line := fmt.Sprintf("%d of %d done", c.Done, c.Total())
	for _, state := range queue.ItemStates {
		if n := state.Of(c); state.Name != "done" && (n > 0 && state.Ended || progressShown[state.Name]) {
			line += fmt.Sprintf(", %d %s", n, state.Name)
		}
	}
	if rate := r.PerSecond(); rate > 0 {
		line += ", " + Rate(rate)
	}
	if Ended(c) {
		return line + "; ended"
	}
	return line + "; " + r.Conclude(c, maxDead).Text
}
