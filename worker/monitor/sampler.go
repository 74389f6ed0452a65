package monitor

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
)

const (
	sampleInterval = time.Second
	readTimeout    = 3 * time.Second // after it Redis counts as unreachable
	samplesKept    = 600
	exactFor       = 2 * time.Minute
)

// Sample is how far the run was at one time.
type Sample struct {
	At      time.Time `json:"at"`
	Done    int       `json:"done"`
	Dead    int       `json:"dead"`
	Revived int       `json:"revived"` // dead items that were retried, so that done + dead + revived never falls
}

func (s Sample) ended() int { return s.Done + s.Dead + s.Revived }

// sampler reads the counts once a second, however many pages are open, and keeps the course of the run.
type sampler struct {
	mu      sync.Mutex
	samples []Sample
	course  report.Course
	latest  queue.Counts
	err     error
	changed chan struct{} // closed at the next sample
}

// run samples until ctx is done.
func (s *sampler) run(ctx context.Context, q *queue.Queue, log *slog.Logger) {
	ticker := time.NewTicker(sampleInterval)
	defer ticker.Stop()
	for unreachable := false; ; {
		counts, err := s.read(ctx, q)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !unreachable {
			log.Warn("redis is unreachable", "error", err)
		} else if err == nil && unreachable {
			log.Info("redis is reachable again")
		}
		unreachable = err != nil
		s.add(counts, err)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *sampler) read(ctx context.Context, q *queue.Queue) (queue.Counts, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return q.Counts(ctx)
}

func (s *sampler) add(counts queue.Counts, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	if err == nil {
		s.latest = counts
		s.course.Saw(counts)
		s.keep(counts)
	}
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// keep adds a sample. Before the run and after it, samples that show no change are not kept.
func (s *sampler) keep(c queue.Counts) {
	sample := Sample{c.Now, c.Done, c.Dead, c.Revived}
	n := len(s.samples)
	if idle := report.Ended(c) || c.Started.IsZero(); idle && n > 0 && s.samples[n-1].ended() == sample.ended() {
		if c.Started.IsZero() {
			s.samples[n-1] = sample
		}
		return
	}
	if n >= samplesKept {
		s.thin()
	}
	s.samples = append(s.samples, sample)
}

// thin drops the sample whose neighbours are closest for its age: the course of a whole night stays visible, and its last
// minutes stay exact.
func (s *sampler) thin() {
	now := s.samples[len(s.samples)-1].At
	least, drop := math.Inf(1), 1
	for i := 1; i < len(s.samples)-1; i++ {
		gap, age := s.samples[i+1].At.Sub(s.samples[i-1].At), now.Sub(s.samples[i].At)
		if worth := float64(gap) / float64(age+exactFor); worth < least {
			least, drop = worth, i
		}
	}
	s.samples = slices.Delete(s.samples, drop, drop+1)
}

// wait returns the next counts, or the error of reading them.
func (s *sampler) wait(ctx context.Context) (queue.Counts, error) {
	s.mu.Lock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	changed := s.changed
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return queue.Counts{}, ctx.Err()
	case <-changed:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest, s.err
}

func (s *sampler) history() []Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Sample{}, s.samples...)
}

// known reports whether the queue was there once.
func (s *sampler) known() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.course.Existed()
}

// conclude returns the conclusion on the run with its latest counts.
func (s *sampler) conclude(c queue.Counts, maxDead queue.Portion) report.Conclusion {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.course.Conclude(c, maxDead)
}

// rate is how many items per second were done or dead lately.
func (s *sampler) rate() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.course.PerSecond()
}

// deadVersion changes when the dead letters that the latest sample counted do.
func (s *sampler) deadVersion() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.latest.Dead, s.latest.Revived)
}
