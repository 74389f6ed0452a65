package monitor

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
)

const historyInterval = 5 * time.Second // finding the runs looks at every key of Redis

// Run is one run of a release, as the history shows it.
type Run struct {
	Queue    string       `json:"queue"`
	State    report.State `json:"state"`
	Total    int          `json:"total"`
	Done     int          `json:"done"`
	Dead     int          `json:"dead"`
	Started  *time.Time   `json:"started,omitempty"`  // first lease
	Finished *time.Time   `json:"finished,omitempty"` // drained
	Seconds  float64      `json:"seconds"`            // from the first lease until the end, or until now
}

// inputsHash is what the chart appends to the release's name for each list of items.
var inputsHash = regexp.MustCompile(`-[0-9a-f]{10}$`)

// EveryQueue stands for the runs of all releases.
const EveryQueue = "*"

// namesOf matches the names of all runs of the release that a queue belongs to.
func namesOf(name string) *regexp.Regexp {
	if name == EveryQueue {
		return regexp.MustCompile("")
	}
	stem := inputsHash.ReplaceAllString(name, "")
	return regexp.MustCompile("^" + regexp.QuoteMeta(stem) + "(?:-[0-9a-f]{10})?$")
}

// QueueNames returns the names of the queues that Redis still knows of the release that a queue belongs to.
func QueueNames(ctx context.Context, client redis.UniversalClient, name string) ([]string, error) {
	names, err := queue.Names(ctx, client)
	release := namesOf(name)
	return slices.DeleteFunc(names, func(candidate string) bool { return !release.MatchString(candidate) }), err
}

// Runs returns the runs that Redis still knows of the release that a queue belongs to: those that have not started first,
// then the latest. A run with more dead items than maxDead has failed.
func Runs(ctx context.Context, client redis.UniversalClient, name string, maxDead queue.Portion) ([]Run, error) {
	names, err := QueueNames(ctx, client, name)
	if err != nil {
		return nil, err
	}
	all := []Run{}
	for _, candidate := range names {
		counts, err := queue.New(client, candidate).Counts(ctx)
		if err != nil {
			return nil, err
		}
		if counts.Exists { // it may have expired in between
			all = append(all, newRun(candidate, counts, maxDead))
		}
	}
	slices.SortStableFunc(all, func(a, b Run) int {
		switch {
		case a.Started == nil && b.Started == nil:
			return strings.Compare(a.Queue, b.Queue)
		case a.Started == nil:
			return -1
		case b.Started == nil:
			return 1
		}
		return b.Started.Compare(*a.Started)
	})
	return all, nil
}

func newRun(name string, c queue.Counts, maxDead queue.Portion) Run {
	r := Run{Queue: name, State: report.Conclude(c, maxDead).State, Total: c.Total(), Done: c.Done, Dead: c.Dead}
	r.Started, r.Finished, r.Seconds = times(c)
	return r
}

// times returns when a run started and finished, nil if it has not, and the seconds in between or until now.
func times(c queue.Counts) (started, finished *time.Time, seconds float64) {
	end := c.Now
	if !c.Finished.IsZero() {
		end, finished = c.Finished, &c.Finished
	}
	if !c.Started.IsZero() {
		started, seconds = &c.Started, end.Sub(c.Started).Seconds()
	}
	return started, finished, seconds
}

func (s *Server) history(ctx context.Context) ([]Run, error) {
	return s.runs.all.get(ctx, "", historyInterval, func(ctx context.Context) ([]Run, error) {
		return Runs(ctx, s.Redis, s.Queue, s.MaxDead)
	})
}

func (s *Server) serveRuns(w http.ResponseWriter, r *http.Request) {
	all, err := s.history(r.Context())
	if err != nil {
		unavailable(w, err)
		return
	}
	respond(w, all)
}
