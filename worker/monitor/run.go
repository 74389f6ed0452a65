package monitor

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

const runsKept = 50 // runs whose samples are kept at the same time

// run is what the monitor keeps of one run.
type run struct {
	queue    *queue.Queue
	sampler  sampler
	workers  recent[Workers]
	failures recent[record.Failures]

	mu       sync.Mutex
	watchers int
	stop     context.CancelFunc
}

// watch samples the run until the returned function is called. Several may watch it at the same time.
func (r *run) watch(log *slog.Logger) (unwatch func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watchers++; r.watchers == 1 {
		var ctx context.Context
		ctx, r.stop = context.WithCancel(context.Background())
		go r.sampler.run(ctx, r.queue, log)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.watchers--; r.watchers == 0 {
			r.stop()
		}
	}
}

func (r *run) watched() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.watchers > 0
}

// runs is the runs that somebody looked at, by queue, and the history of the release.
type runs struct {
	mu   sync.Mutex
	seen map[string]*run
	all  recent[[]Run]
}

// get returns the run of a queue. When there are too many, it drops those that nobody watches, with their samples.
func (rs *runs) get(name string, open func() *queue.Queue) *run {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.seen[name]; r != nil {
		return r
	}
	if len(rs.seen) >= runsKept {
		for name, r := range rs.seen {
			if !r.watched() {
				delete(rs.seen, name)
			}
		}
	}
	if rs.seen == nil {
		rs.seen = map[string]*run{}
	}
	r := &run{queue: open()}
	rs.seen[name] = r
	return r
}

func (s *Server) run(name string) *run {
	return s.runs.get(name, func() *queue.Queue { return queue.New(s.Redis, name) })
}

// first is the run that the monitor was started for.
func (s *Server) first() *run { return s.run(s.Queue) }

// find returns the run that a request names with the parameter queue, without one the run that opens, and nil for a queue of others.
func (s *Server) find(r *http.Request) *run {
	name := r.URL.Query().Get("queue")
	switch {
	case name == s.Queue:
		return s.first()
	case name != "" && !namesOf(s.Queue).MatchString(name):
		return nil
	case name != "":
		return s.run(name)
	}
	return s.opening(r.Context())
}

// opening returns the run that opens.
func (s *Server) opening(ctx context.Context) *run {
	if s.first().sampler.known() {
		return s.first()
	}
	if counts, err := s.first().queue.Counts(ctx); err == nil && !counts.Exists {
		if all, err := s.history(ctx); err == nil && len(all) > 0 {
			return s.run(all[0].Queue)
		}
	}
	return s.first()
}

// forRun passes the run that a request names to its handler.
func (s *Server) forRun(handle func(http.ResponseWriter, *http.Request, *run)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if run := s.find(r); run != nil {
			handle(w, r, run)
			return
		}
		http.Error(w, "queue: it is not a run of this release; /api/runs lists them", http.StatusNotFound)
	}
}

// recent is a value that is read from Redis once per interval at most, or when its version changes, however many pages ask
// for it.
type recent[T any] struct {
	mu      sync.Mutex
	version string
	at      time.Time
	value   T
	err     error
}

func (r *recent[T]) get(ctx context.Context, version string, interval time.Duration, read func(context.Context) (T, error)) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) >= interval || version != r.version {
		// Others wait for it too: it does not end with the request that happens to come first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		r.value, r.err = read(ctx)
		r.at, r.version = time.Now(), version
	}
	return r.value, r.err
}
