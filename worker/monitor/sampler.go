package monitor

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

const (
	sampleEvery   = time.Second
	sampleTimeout = 3 * time.Second // then Redis counts as away
	samplesKept   = 600
	exactFor      = 2 * time.Minute
	rateItems     = 30               // that came to an end, over which the rate is taken
	rateWindow    = 10 * time.Second // and this time at least
	idleAfter     = 10 * time.Second // without a lease
)

// Sample is how far the run was at one time.
type Sample struct {
	At      time.Time `json:"at"`
	Done    int       `json:"done"`
	Dead    int       `json:"dead"`
	Revived int       `json:"revived"` // dead ones that were put back, so that done + dead + revived never falls
}

func (s Sample) ended() int { return s.Done + s.Dead + s.Revived }

// sampler reads the counts once a second, however many people look, and keeps how the run went.
type sampler struct {
	mu      sync.Mutex
	samples []Sample
	latest  queue.Counts
	err     error
	leased  time.Time     // when something was last seen with a worker, or at first
	exists  bool          // the queue was seen once
	changed chan struct{} // closed at the next sample
}

// run samples until ctx is done, which those who wait are told.
func (s *sampler) run(ctx context.Context, q *queue.Queue, log *slog.Logger) {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for away := false; ; {
		counts, err := s.read(ctx, q)
		if ctx.Err() != nil {
			s.add(counts, ctx.Err())
			return
		}
		if err != nil && !away {
			log.Warn("redis does not answer", "error", err)
		} else if err == nil && away {
			log.Info("redis answers again")
		}
		away = err != nil
		s.add(counts, err)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func (s *sampler) read(ctx context.Context, q *queue.Queue) (queue.Counts, error) {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	return q.Counts(ctx)
}

func (s *sampler) add(counts queue.Counts, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	if err == nil {
		s.latest = counts
		s.exists = s.exists || counts.Exists
		if counts.Leased > 0 || s.leased.IsZero() {
			s.leased = counts.Now
		}
		s.keep(counts)
	}
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// keep adds a sample. Before the run and after it nothing happens that would be worth keeping.
func (s *sampler) keep(c queue.Counts) {
	sample := Sample{c.Now, c.Done, c.Dead, c.Revived}
	n := len(s.samples)
	if idle := c.Drained() || c.Started.IsZero(); idle && n > 0 && s.samples[n-1].ended() == sample.ended() {
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

// thin drops the sample that is missed least: the one with the closest neighbours for its age. So a run of a night stays
// whole, and its last minutes stay exact.
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

// known says whether the queue was ever seen.
func (s *sampler) known() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exists
}

// idle is for how long no worker had anything.
func (s *sampler) idle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest.Now.Sub(s.leased)
}

// rate is how many items a second became done or dead lately: over the last of them, however slow they are.
func (s *sampler) rate() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.samples) < 2 {
		return 0
	}
	last := s.samples[len(s.samples)-1]
	first := last
	for i := len(s.samples) - 2; i >= 0; i-- {
		first = s.samples[i]
		if last.ended()-first.ended() >= rateItems && last.At.Sub(first.At) >= rateWindow {
			break
		}
	}
	seconds := last.At.Sub(first.At).Seconds()
	if seconds <= 0 {
		return 0
	}
	return max(0, float64(last.ended()-first.ended())/seconds)
}

// recent is an answer that is read from Redis once a second at most, however many pages ask.
type recent[T any] struct {
	mu    sync.Mutex
	at    time.Time
	value T
	err   error
}

func (r *recent[T]) get(ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) >= sampleEvery {
		// Others wait for it as well: it does not end with the request that happens to be the first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sampleTimeout)
		defer cancel()
		r.value, r.err = read(ctx)
		r.at = time.Now()
	}
	return r.value, r.err
}
