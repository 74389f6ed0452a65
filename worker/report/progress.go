package report

import (
	"fmt"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// speedWindow is how far back the speed of a run is measured.
const speedWindow = 30 * time.Second

// Speed measures how fast a run is now.
type Speed struct{ seen []queue.Counts }

// Saw takes in another state of the run.
func (s *Speed) Saw(c queue.Counts) {
	s.seen = append(s.seen, c)
	for len(s.seen) > 2 && c.Now.Sub(s.seen[1].Now) >= speedWindow {
		s.seen = s.seen[1:]
	}
}

// PerSecond is the number of items that are settled in a second; 0 if it is not known.
func (s *Speed) PerSecond() float64 {
	if len(s.seen) == 0 {
		return 0
	}
	first, last := s.seen[0], s.seen[len(s.seen)-1]
	since, settled := first.Now, last.Done+last.Dead-first.Done-first.Dead
	if len(s.seen) == 1 || !last.Finished.IsZero() { // one look: the run as a whole
		since, settled = last.Started, last.Done+last.Dead
	}
	until := last.Now
	if !last.Finished.IsZero() {
		until = last.Finished
	}
	took := until.Sub(since).Seconds()
	if since.IsZero() || took <= 0 || settled <= 0 {
		return 0
	}
	return float64(settled) / took
}

// Progress is one line on how far a run is.
func Progress(c queue.Counts, speed *Speed) string {
	if !c.Exists {
		return "waiting: the queue was not seeded yet"
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
	case c.Open() == 0:
		text += ", not sealed: more may come"
	case rate > 0:
		text += fmt.Sprintf(", %v left", time.Duration(float64(c.Open())/rate*float64(time.Second)).Round(time.Second))
	}
	return text
}
