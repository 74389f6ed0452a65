package monitor

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

const (
	sampleEvery = time.Second
	samplesKept = 600 // ten minutes
	rateWindow  = 15  // samples over which the rate is taken
)

// Sample is how far the run was at one time.
type Sample struct {
	At   time.Time `json:"at"`
	Done int       `json:"done"`
	Dead int       `json:"dead"`
}

// sampler reads the counts once a second, however many people look, and keeps the last minutes.
type sampler struct {
	mu      sync.Mutex
	samples []Sample
	latest  queue.Counts
	err     error
	changed chan struct{} // closed at the next sample
}

func (s *sampler) run(ctx context.Context, q *queue.Queue, log *slog.Logger) {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		counts, err := q.Counts(ctx)
		if err != nil && ctx.Err() == nil {
			log.Warn("redis cannot be read", "error", err)
		}
		s.add(counts, err)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *sampler) add(counts queue.Counts, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	if err == nil {
		s.latest = counts
		s.samples = append(s.samples, Sample{counts.Now, counts.Done, counts.Dead})
		s.samples = s.samples[max(0, len(s.samples)-samplesKept):]
	}
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// wait answers the latest counts once there are newer ones than at the time of the call.
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

// rate is how many items a second became done or dead lately.
func (s *sampler) rate() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.samples) < 2 {
		return 0
	}
	recent := s.samples[max(0, len(s.samples)-rateWindow):]
	first, last := recent[0], recent[len(recent)-1]
	seconds := last.At.Sub(first.At).Seconds()
	if seconds <= 0 {
		return 0
	}
	return max(0, float64(last.Done+last.Dead-first.Done-first.Dead)/seconds)
}
