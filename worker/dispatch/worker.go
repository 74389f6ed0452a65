// Package dispatch is the loop of a worker: lease, run, acknowledge, until the queue is drained.
//
// One goroutine, the dispatcher, owns all state and makes all calls to the queue. Each slot is a goroutine that runs what the
// dispatcher hands it. What the dispatcher decides, and when, is in schedule.go.
package dispatch

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/text"
)

// Policy is how a worker treats items, apart from running them.
type Policy struct {
	Slots              int           // chunks of items that run at the same time
	Fill               int           // items that a slot should take at once, if there are so many
	MaxAttempts        int           // failed attempts after which an item is dead
	Backoff            Backoff       // delays between attempts
	Grace              time.Duration // how long running items may go on once the worker is told to stop
	UnreachableTimeout time.Duration // how long Redis may be unreachable
	SeedTimeout        time.Duration // how long to wait for a queue that was never seeded, 0 for ever
	Host, Node         string        // of this worker, for records
	History            bool          // keep an entry of each attempt
	Remember           bool          // record which items are done, so that later runs can leave them out
	KillAfter          time.Duration // between TERM and KILL, for a command that is ended
	Limits             queue.Limits
}

const (
	// lastCalls is the time for reporting to the queue, after the items that still ran at the end of the grace were ended.
	lastCalls = 2 * time.Second
	// shortestFailure is the shortest time after which a worker fails for a reason for which its pod is replaced: the next worker
	// often fails too, and Kubernetes may start it at once.
	shortestFailure = 10 * time.Second
)

// Errors that end a worker's run, beside those of Redis and queue.ErrVanished.
var (
	ErrStopped  = errors.New("too many dead items: the run was stopped early")
	ErrUnseeded = errors.New("the queue was never seeded, or Redis lost it")
)

// maxReason limits the reason that the run keeps, in bytes.
const maxReason = 1000

// InvalidCommandError is returned when the command cannot be run for any item.
type InvalidCommandError struct{ Reason string }

func (e *InvalidCommandError) Error() string { return e.Reason }

// Worker runs the items of a queue.
type Worker struct {
	Queue   *queue.Queue
	Handler handler.Handler
	// LastStep runs after the run; nil without one.
	LastStep *LastStep
	Policy   Policy
	Log      *slog.Logger

	// Settings describe the run to people: JSON, or "". They hold no secrets.
	Settings string
	// Release is whose worker this is, see queue.Session; "" if nobody's.
	Release string

	// Name identifies this process among all workers there ever were. Host names are used again, so part of it is random.
	Name string

	stats atomic.Pointer[Stats] // as of the last publish
}

// NewName returns a new worker name for a host.
func NewName(host string) string {
	return strings.ReplaceAll(host, ":", "-") + "." + strings.ToLower(rand.Text()[:8])
}

// Run works until the queue is drained (nil), stopped early (ErrStopped), unreachable for too long, or until ctx is done: then
// nothing more is started, running items get their grace, and the rest is returned to the queue. A failure for which the pod is
// replaced is returned after ten seconds at the earliest.
func (w *Worker) Run(ctx context.Context) error {
	started := time.Now()
	err := w.run(ctx)
	if replaced(err) {
		if wait := shortestFailure - time.Since(started); wait > 0 {
			w.Log.Error("failed soon after the start: waiting before the exit", "reason", err, "delay", wait.Round(time.Millisecond))
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
	}
	return err
}

// replaced reports whether a pod whose run ends with err is replaced by another one, without anybody having asked for the end.
func replaced(err error) bool {
	var (
		invalid *InvalidCommandError
		refused *redisclient.RefusedError
	)
	switch {
	case err == nil, errors.As(err, &invalid), errors.As(err, &refused):
		return false
	}
	return !errors.Is(err, ErrStopped) && !errors.Is(err, ErrUnseeded) && !errors.Is(err, queue.ErrVanished) &&
		!errors.Is(err, context.Canceled)
}

func (w *Worker) run(ctx context.Context) error {
	// The handlers outlive ctx by the grace, and the calls to Redis outlive the handlers. So an outage of Redis ends neither the
	// running items nor the last reports of a worker that was told to stop.
	running, interrupt := context.WithCancel(context.WithoutCancel(ctx))
	defer interrupt()
	calls, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(w.Policy.Grace, interrupt) // even if the dispatcher is waiting for Redis then
		time.AfterFunc(w.Policy.Grace+w.Policy.KillAfter+lastCalls, hangUp)
	})()
	limits := w.Policy.Limits
	limits.LastStep = w.LastStep != nil
	d := &dispatcher{
		schedule: schedule{slots: w.Policy.Slots, idle: w.Policy.Slots, fill: max(w.Policy.Fill, 1), most: w.Handler.MaxItems(), rated: w.Policy.Limits.Rate > 0,
			lease: w.Policy.Limits.Lease},
		worker:  w,
		policy:  w.Policy,
		session: w.Queue.NewSession(w.Name, limits),
		running: running,
		calls:   calls,
		chunks:  map[*chunk]bool{},
		tasks:   make(chan *chunk, w.Policy.Slots),
		ended:   make(chan *chunk, w.Policy.Slots),
		wake:    make(chan struct{}, 1),
		replies: make(chan callEnd, 1),
		stats:   newStats(),
		verbose: w.Log.Enabled(ctx, slog.LevelDebug),
	}
	d.recaller, _ = w.Handler.(handler.Recaller)
	d.reporter.status = Status{Pod: w.Policy.Host, Node: w.Policy.Node, Started: time.Now().UTC().Truncate(time.Millisecond)}
	d.session.Settings, d.session.Release = w.Settings, w.Release
	for range w.Policy.Slots {
		go d.slot(w.Handler)
	}
	defer close(d.tasks)
	err := d.dispatch(ctx, interrupt)
	// While a report may still be on its way, the queue needs the number of the worker's last call.
	if d.connected && d.open == 0 {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCalls)
		defer cancel()
		broken := (*InvalidCommandError)(nil)
		why := ""
		if errors.As(err, &broken) {
			why = text.Head(broken.Reason, maxReason)
		}
		_ = d.session.Close(last, why) // it leaves a few bytes that expire
	}
	return err
}
