package report

import (
	"fmt"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// The rate of a run is that of the last items, however slow they are: so many of them, and over so long, at least.
const (
	rateItems  = 30
	rateWindow = 10 * time.Second
)

// Speed measures how fast a run is now.
type Speed struct {
	seen   []moment
	latest queue.Counts
}

// moment is how many attempts had ended an item at one time.
type moment struct {
	at    time.Time
	ended int // dead items that were put back among them, so that it never falls
}

// Saw takes in another state of the run.
func (s *Speed) Saw(c queue.Counts) {
	s.latest = c
	now := moment{c.Now, c.Done + c.Dead + c.Revived}
	if n := len(s.seen); n > 1 && s.seen[n-1].ended == now.ended && s.seen[n-2].ended == now.ended {
		s.seen[n-1] = now // nothing has happened
		return
	}
	s.seen = append(s.seen, now)
	for len(s.seen) > 2 && s.enough(s.seen[1]) {
		s.seen = s.seen[1:]
	}
}

func (s *Speed) enough(since moment) bool {
	last := s.seen[len(s.seen)-1]
	return last.ended-since.ended >= rateItems && last.at.Sub(since.at) >= rateWindow
}

// PerSecond returns the number of items that become done or dead in a second, 0 if it is not known.
func (s *Speed) PerSecond() float64 {
	if len(s.seen) < 2 || !s.latest.Finished.IsZero() {
		return Average(s.latest)
	}
	first, last := s.seen[0], s.seen[len(s.seen)-1]
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
	switch {
	case c.Started.IsZero():
		return 0
	case c.Finished.IsZero():
		return c.Now.Sub(c.Started)
	}
	return c.Finished.Sub(c.Started)
}

// Progress is one line on the progress of a run.
func Progress(c queue.Counts, speed *Speed) string {
	if !c.Exists {
		return "waiting: the queue is not seeded yet"
	}
	text := fmt.Sprintf("%d of %d done, %d dead, %d running", c.Done, c.Total(), c.Dead, c.Leased)
	rate := speed.PerSecond()
	if rate > 0 {
		text += fmt.Sprintf(", %.1f/s", rate)
	}
	switch {
	case c.Drained():
		text += ", ended"
	case c.Stopped:
		text += ", stopped early"
	case c.Paused:
		text += ", paused"
	case c.Open() == 0:
		text += ", not sealed: more items may come"
	case rate > 0:
		text += fmt.Sprintf(", %v left", time.Duration(float64(c.Open())/rate*float64(time.Second)).Round(time.Second))
	}
	return text
}
