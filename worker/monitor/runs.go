package monitor

import (
	"cmp"
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

// Run is one run of a release, as the history shows it. As JSON it has a field for each state of items, too.
type Run struct {
	Queue    string       `json:"queue"`
	State    report.State `json:"state"`
	Total    int          `json:"total"`
	Ended    int          `json:"ended"`
	Began    *time.Time   `json:"began,omitempty"`    // first attempt to seed it
	Started  *time.Time   `json:"started,omitempty"`  // first lease
	Finished *time.Time   `json:"finished,omitempty"` // end of the run: drained, or stopped early
	Seconds  float64      `json:"seconds"`            // from the first lease until the end, or until now

	Items queue.ItemCounts `json:"-"`
}

type plainRun Run

// MarshalJSON implements json.Marshaler.
func (r Run) MarshalJSON() ([]byte, error) { return r.Items.MarshalWith(plainRun(r)) }

// UnmarshalJSON implements json.Unmarshaler.
func (r *Run) UnmarshalJSON(encoded []byte) error {
	return r.Items.UnmarshalWith(encoded, (*plainRun)(r))
}

// ofRun is what the chart appends to the release's name for each list of items, or for each run of a schedule, or for all of these.
var ofRun = regexp.MustCompile(`(?:` + anyRun + `|:\*)$`)

const anyRun = `-[0-9a-f]{10}|:[^:]+:[0-9a-f]{5}`

// EveryQueue stands for the runs of all releases.
const EveryQueue = "*"

// namesOf matches the names of all runs of the release that a queue belongs to.
func namesOf(name string) *regexp.Regexp {
	if name == EveryQueue {
		return regexp.MustCompile("")
	}
	stem := ofRun.ReplaceAllString(name, "")
	return regexp.MustCompile("^" + regexp.QuoteMeta(stem) + "(?:" + anyRun + ")?$")
}

// QueueNames returns the names of the queues that Redis still knows of the release that a queue belongs to.
func QueueNames(ctx context.Context, client redis.UniversalClient, name string) ([]string, error) {
	return namesThat(ctx, client, namesOf(name).MatchString)
}

func namesThat(ctx context.Context, client redis.UniversalClient, wanted func(name string) bool) ([]string, error) {
	names, err := queue.Names(ctx, client)
	return slices.DeleteFunc(names, func(name string) bool { return !wanted(name) }), err
}

// Latest returns the queue of the run that began last, of those whose names begin with the prefix, and "" if there is none.
func Latest(ctx context.Context, client redis.UniversalClient, prefix string) (string, error) {
	all, err := list(ctx, client, func(name string) bool { return strings.HasPrefix(name, prefix) }, queue.Portion{})
	if err != nil || len(all) == 0 {
		return "", err
	}
	return all[0].Queue, nil
}

// Runs returns the runs that Redis still knows of the release that a queue belongs to, the latest first. A run with more dead items than
// maxDead has failed.
func Runs(ctx context.Context, client redis.UniversalClient, name string, maxDead queue.Portion) ([]Run, error) {
	return list(ctx, client, namesOf(name).MatchString, maxDead)
}

func list(ctx context.Context, client redis.UniversalClient, wanted func(name string) bool, maxDead queue.Portion) ([]Run, error) {
	names, err := namesThat(ctx, client, wanted)
	if err != nil {
		return nil, err
	}
	all := []Run{}
	for _, candidate := range names {
		counts, err := queue.New(client, candidate).Counts(ctx)
		if err != nil {
			return nil, err
		}
		if counts.Exists || counts.SeedAttempts > 0 { // it may have expired in between
			all = append(all, newRun(candidate, counts, maxDead))
		}
	}
	slices.SortStableFunc(all, func(a, b Run) int { return cmp.Or(b.since().Compare(a.since()), strings.Compare(b.Queue, a.Queue)) })
	return all, nil
}

func newRun(name string, c queue.Counts, maxDead queue.Portion) Run {
	r := Run{Queue: name, State: report.Conclude(c, maxDead).State, Total: c.Total(), Ended: c.Ended(), Items: c.Items()}
	if !c.Began.IsZero() {
		r.Began = &c.Began
	}
	r.Started, r.Finished, r.Seconds = times(c)
	return r
}

// since returns when the run began: it was seeded, or somebody has filled it otherwise.
func (r Run) since() time.Time {
	switch {
	case r.Began != nil:
		return *r.Began
	case r.Started != nil:
		return *r.Started
	}
	return time.Time{}
}

// times returns when a run started and ended, nil if it has not, and the seconds in between or until now.
func times(c queue.Counts) (started, ended *time.Time, seconds float64) {
	if end := report.End(c); !end.IsZero() {
		ended = &end
	}
	if !c.Started.IsZero() {
		started = &c.Started
	}
	return started, ended, report.WallTime(c).Seconds()
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
