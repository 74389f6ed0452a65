// Package dispatch is the loop of a worker: lease, run, acknowledge, until the queue is drained.
//
// One goroutine, the dispatcher, owns all state and makes all calls to the queue; each slot is a goroutine that runs
// what the dispatcher hands it and says how it went.
package dispatch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
)

// Policy is what a worker does with items, beside running them.
type Policy struct {
	Slots              int           // items, or chunks of items, run at the same time
	Fill               int           // items that a slot should get at once, if there are as many
	MaxAttempts        int           // failed attempts after which an item is dead
	Backoff            Backoff       // delays between attempts
	Grace              time.Duration // how long running items may go on once the worker is told to stop
	UnreachableTimeout time.Duration // how long Redis may be out of reach
	SeedTimeout        time.Duration // how long to wait for a queue that was never seeded, 0 for ever
	Host, Node         string        // names in records
	Limits             queue.Limits
}

// lastCalls is the time, after the grace, for ending the items that still run and for telling the queue.
const lastCalls = 4 * time.Second

// Errors that end a worker's run, beside those of Redis and queue.ErrVanished.
var (
	ErrStopped  = errors.New("too many dead items: the run was stopped early")
	ErrUnseeded = errors.New("the queue was never seeded, or Redis lost it")
)

// InvalidCommandError says that the command cannot be run at all.
type InvalidCommandError struct{ Reason string }

func (e *InvalidCommandError) Error() string { return e.Reason }

// Describe turns the error of a run into words for a person, or "" for a run that ended well.
func Describe(err error) string {
	var invalid *InvalidCommandError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &invalid):
		return fmt.Sprintf("%v: no item can be run, so none was tried; correct the command or the image", err)
	}
	return err.Error()
}

// Worker runs the items of a queue.
type Worker struct {
	Queue   *queue.Queue
	Handler handler.Handler
	Policy  Policy
	Log     *slog.Logger

	// Name is this process among all workers there ever were. Host names come back, so part of it is random.
	Name string

	published published
}

// NewName makes a worker name from a host's name.
func NewName(host string) string {
	return strings.ReplaceAll(host, ":", "-") + "." + strings.ToLower(rand.Text()[:8])
}

// Run works until the queue is drained (nil), stopped early (ErrStopped), out of reach for too long, or until ctx is
// done: then nothing more is started, running items get their grace, and the rest is handed back.
func (w *Worker) Run(ctx context.Context) error {
	// The handlers outlive ctx by the grace, and the calls to Redis outlive the handlers: Redis being away ends neither
	// the running items nor, at once, a worker that was told to stop.
	running, interrupt := context.WithCancel(context.WithoutCancel(ctx))
	defer interrupt()
	calls, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(w.Policy.Grace, interrupt) // even if the dispatcher is waiting for Redis then
		time.AfterFunc(w.Policy.Grace+lastCalls, hangUp)
	})()
	d := &dispatcher{
		schedule: schedule{slots: w.Policy.Slots, idle: w.Policy.Slots, fill: max(w.Policy.Fill, 1), most: w.Handler.MaxItems(),
			lease: w.Policy.Limits.Lease},
		worker:  w,
		policy:  w.Policy,
		session: w.Queue.NewSession(w.Name, w.Policy.Limits),
		running: running,
		calls:   calls,
		batches: map[string]*batch{},
		chunks:  map[*chunk]bool{},
		tasks:   make(chan *chunk, w.Policy.Slots),
		ended:   make(chan *chunk, w.Policy.Slots),
		wake:    make(chan struct{}, 1),
		stats:   newStats(),
		verbose: w.Log.Enabled(ctx, slog.LevelDebug),
	}
	for range w.Policy.Slots {
		go d.slot(w.Handler)
	}
	defer close(d.tasks)
	err := d.dispatch(ctx, interrupt)
	// The number of the last call is still needed while a report may be on its way that settles something.
	if d.connected && d.open == 0 {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCalls)
		defer cancel()
		_ = d.session.Close(last) // what is left behind is a few bytes that expire
	}
	return err
}
