package dispatch

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
)

const (
	idlePoll    = time.Second // how often an idle worker asks, at least
	reportDelay = time.Second // how long an outcome may wait for the next call
)

type attempt = handler.Attempt

// dispatcher owns a worker's state. Only the goroutine in dispatch touches it.
type dispatcher struct {
	worker  *Worker
	policy  Policy
	session *queue.Session
	running context.Context // of the handlers
	calls   context.Context // of the calls to the queue

	open   map[string]*batch // by id
	pool   []*batch          // open batches with items that were not started
	idle   int               // slots without a chunk
	chunks chan chunk        // to the slots
	ended  chan chunk        // from the slots

	stats      Stats
	verbose    bool // a line in the log even for an item that is done
	pace       pace
	alone      bool      // a suspect is held: lease nothing beside it
	suspects   bool      // suspects are waiting for a worker that holds nothing: lease no more before that
	lastCall   time.Time // when the queue was last heard
	urgent     bool      // the queue must hear at once
	unreported time.Time // since when there are outcomes that the queue has not heard, zero if none
	leaseAgain time.Time // after a reply without items: not before this time
	stopping   bool      // lease nothing any more
	connected  bool      // the queue has answered at least once
	status     queue.Status
	invalid    error
}

// slot runs chunks until there are no more.
func (d *dispatcher) slot(h handler.Handler) {
	for c := range d.chunks {
		c.outcomes = make([]attempt, c.to-c.from)
		h.Handle(c.batch.ctx, c.batch.Items[c.from:c.to], func(position int, a attempt) { c.outcomes[position] = a })
		d.ended <- c
	}
}

func (d *dispatcher) dispatch(ctx context.Context, interrupt func()) error {
	stop := ctx.Done()
	var graceOver <-chan time.Time
	started := time.Now()
	defer func() { d.worker.published.set(&d.stats) }()
	for {
		d.handOut()
		d.worker.published.set(&d.stats)
		if d.stopping && len(d.open) == 0 {
			break
		}
		if d.callDue() {
			if err := d.call(); err != nil {
				interrupt()
				return err
			}
			switch {
			case d.status == queue.StatusDrained && len(d.open) == 0:
				return nil
			case d.status == queue.StatusStopped:
				d.stopping = true
				d.handBack()
			case d.status == queue.StatusUnseeded && d.policy.SeedTimeout > 0 && time.Since(started) > d.policy.SeedTimeout:
				return ErrUnseeded
			}
			continue
		}
		if d.idle == d.policy.Slots && len(d.open) == 0 {
			d.rest(ctx)
			if ctx.Err() == nil {
				continue
			}
		}
		timer := time.NewTimer(time.Until(d.nextCall()))
		select {
		case c := <-d.ended:
			d.finish(c)
			for more := true; more; { // whatever else has ended by now
				select {
				case c := <-d.ended:
					d.finish(c)
				default:
					more = false
				}
			}
		case <-timer.C:
		case <-stop:
			stop = nil
			d.worker.Log.Info("told to stop: starting nothing more, handing back what was not started",
				"running", d.policy.Slots-d.idle, "grace", d.policy.Grace)
			d.stopping = true
			d.handBack()
			graceOver = time.After(d.policy.Grace)
		case <-graceOver:
			d.worker.Log.Info("the grace is over: ending the running items and handing them back")
			interrupt()
		}
		timer.Stop()
	}
	switch {
	case d.invalid != nil:
		return d.invalid
	case d.status == queue.StatusStopped:
		return ErrStopped
	}
	return ctx.Err()
}

// handOut gives items to idle slots.
func (d *dispatcher) handOut() {
	for d.idle > 0 && len(d.pool) > 0 {
		b := d.pool[0]
		// An equal share for each slot that could take some now.
		n := min(d.worker.Handler.MaxItems(), (b.unstarted()+d.idle-1)/d.idle)
		d.chunks <- chunk{batch: b, from: b.next, to: b.next + n}
		d.idle--
		d.stats.Running += n
		b.next += n
		if b.unstarted() == 0 {
			d.pool = d.pool[1:]
		}
	}
}

// leaseWanted says whether more items are wanted now.
func (d *dispatcher) leaseWanted() bool {
	if d.stopping || len(d.pool) > 0 {
		return false
	}
	if d.idle == d.policy.Slots {
		// All that was held has ended: to say so may be what ends the run. Or nothing is held, and even suspects will do.
		return len(d.open) > 0 || !time.Now().Before(d.leaseAgain)
	}
	if d.alone || d.suspects || time.Now().Before(d.leaseAgain) {
		return false
	}
	return d.idle > 0 || !d.pace.slow()
}

func (d *dispatcher) callDue() bool { return d.leaseWanted() || !time.Now().Before(d.nextCall()) }

// nextCall is when the queue must be called if nothing else happens before.
func (d *dispatcher) nextCall() time.Time {
	next := d.lastCall.Add(d.policy.Limits.Lease / 3)
	if !d.unreported.IsZero() {
		delay := reportDelay
		if d.stopping || d.urgent {
			delay = 0
		}
		if report := d.unreported.Add(delay); report.Before(next) {
			next = report
		}
	}
	if !d.stopping && !d.alone && !d.suspects && d.idle > 0 && len(d.pool) == 0 && d.leaseAgain.Before(next) {
		next = d.leaseAgain
	}
	return next
}

// call makes one exchange with the queue, for as long as it takes to be answered.
func (d *dispatcher) call() error {
	var request queue.Request
	for _, b := range d.open {
		request.Reports = append(request.Reports, b.report())
	}
	if d.leaseWanted() {
		request.Want = d.pace.want(d.policy.Slots, d.idle, d.policy.Fill)
	}
	exchange := d.session.Exchange
	var reply queue.Reply
	err := redisclient.Retry(d.calls, d.policy.UnreachableTimeout, d.worker.Log, func(try context.Context) (err error) {
		asked := time.Now()
		reply, err = exchange(try, request)
		exchange = d.session.Repeat
		if err == nil {
			d.stats.calls.Add(time.Since(asked), 1)
		}
		return err
	})
	if err != nil {
		return err
	}
	d.connected = true
	d.lastCall = time.Now()
	d.unreported, d.urgent = time.Time{}, false
	for id, b := range d.open {
		if known, forgotten := reply.RolledBack[id]; forgotten {
			d.worker.Log.Warn("redis has forgotten what it was told last: telling it again", "batch", id)
			b.forgotten(known)
			d.noteUnreported()
			continue
		}
		b.reported()
		if b.complete() {
			d.release(id)
		}
	}
	for _, id := range reply.Lost {
		if b := d.open[id]; b != nil {
			d.worker.Log.Warn("lost a lease: its items are run by others, what was done here since does not count",
				"batch", id, "items", len(b.Items)-b.finished)
			d.stats.LostLeases++
			d.stats.Lost += len(b.Items) - b.finished
			d.release(id)
		}
	}
	d.alone = d.alone && len(d.open) > 0
	d.suspects = reply.Suspects > 0
	d.status = reply.Status
	switch {
	case reply.Batch != nil:
		d.take(reply.Batch)
	case request.Want > 0:
		d.leaseAgain = d.lastCall.Add(pollDelay(reply.Wait))
	}
	return nil
}

// pollDelay spreads the questions of many idle workers, which are all told the same wait.
func pollDelay(wait time.Duration) time.Duration {
	if wait >= idlePoll {
		return idlePoll - rand.N(idlePoll/2)
	}
	return wait + rand.N(min(wait, 50*time.Millisecond)+time.Millisecond)
}

func (d *dispatcher) take(b *queue.Batch) {
	ctx, cancel := context.WithCancel(d.running)
	size := (len(b.Items) + 7) / 8
	taken := &batch{Batch: *b, ctx: ctx, cancel: cancel, bitmap: make([]byte, size), known: make([]byte, size)}
	d.open[b.ID] = taken
	d.pool = append(d.pool, taken)
	d.alone = b.Suspect
	if d.stopping {
		d.handBack()
	}
}

func (d *dispatcher) release(id string) {
	b := d.open[id]
	b.cancel()
	delete(d.open, id)
	for i, pooled := range d.pool {
		if pooled == b {
			d.pool = append(d.pool[:i], d.pool[i+1:]...)
			break
		}
	}
}

// handBack gives up everything that was not started.
func (d *dispatcher) handBack() {
	for _, b := range d.pool {
		for ; b.next < len(b.Items); b.next++ {
			b.finish(b.next, &queue.ItemOutcome{Outcome: queue.OutcomeSnoozed})
			d.stats.Returned++
		}
		d.noteUnreported()
	}
	d.pool = nil
}

func (d *dispatcher) noteUnreported() {
	if d.unreported.IsZero() {
		d.unreported = time.Now()
	}
}

// rest waits, with nothing in hand, until there may be something to lease.
func (d *dispatcher) rest(ctx context.Context) {
	wait := time.Until(d.leaseAgain)
	if wait <= 0 {
		return
	}
	if d.status != queue.StatusWait || d.suspects { // a push would change nothing
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		return
	}
	resting := time.Now()
	err := d.worker.Queue.AwaitPush(ctx, wait)
	if err == nil {
		d.leaseAgain = time.Now()
		return
	}
	if left := wait - time.Since(resting); ctx.Err() == nil && left > 0 {
		time.Sleep(min(left, idlePoll)) // the exchange that follows will tell what is wrong
	}
}

// finish takes in the outcomes of a chunk.
func (d *dispatcher) finish(c chunk) {
	d.idle++
	d.stats.Running -= len(c.outcomes)
	b := c.batch
	if d.open[b.ID] != b {
		return // its lease was lost
	}
	took := c.took()
	for i, o := range c.outcomes {
		position := c.from + i
		b.finish(position, d.verdict(b.Items[position], o))
		d.stats.attempt(o)
	}
	if took > 0 && c.outcomes[0].Outcome != queue.OutcomeReturned {
		d.pace.measured(len(c.outcomes), took)
	}
	d.noteUnreported()
	if d.invalid != nil && !d.stopping {
		d.stopping = true
		d.handBack()
	}
}
