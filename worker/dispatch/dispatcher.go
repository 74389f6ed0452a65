package dispatch

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/pace"
	"github.com/workqueue/workqueue/worker/queue"
)

// idlePoll is the longest time between two calls of an idle worker.
const idlePoll = time.Second

// rateLogInterval is the least time between two lines that say that the rate holds items back.
const rateLogInterval = 10 * time.Minute

// dispatcher owns a worker's state. Only the goroutine in dispatch touches it.
type dispatcher struct {
	schedule
	worker   *Worker
	policy   Policy
	session  *queue.Session
	recaller handler.Recaller // nil if the handler is none
	running  context.Context  // of the handlers
	calls    context.Context  // of the calls to the queue

	batches []*batch        // that are held, the oldest first
	next    *batch          // one of them, with items that were neither started nor returned
	chunks  map[*chunk]bool // that slots run
	spare   []*chunk        // to be used again
	tasks   chan *chunk     // to the slots
	ended   chan *chunk     // from the slots
	wake    chan struct{}   // an attempt has ended that should be taken in at once
	replies chan callEnd    // of the call that is being made

	stats     Stats
	reporter  reporter
	verbose   bool // log even an item that is done
	connected bool // a call has succeeded
	status    queue.Status
	watch     bool // rest by watching for a push
	durable   bool // Redis had the end of the run on its disk before the last call
	tried     bool // the command was run for an item
	invalid   error

	rateLogged time.Time // when a line last said that the rate holds items back
}

// slot runs chunks until there are no more.
func (d *dispatcher) slot(h handler.Handler) {
	for c := range d.tasks {
		h.Handle(c.batch.ctx, c.batch.Items[c.from:c.to], c.report)
		d.ended <- c
	}
}

func (d *dispatcher) dispatch(ctx context.Context, interrupt func()) error {
	stop := ctx.Done()
	var graceOver <-chan time.Time
	started := time.Now()
	defer d.publish()
	for {
		if stop != nil && ctx.Err() != nil { // before anything is started, even if a reply with items came at the same time
			stop = nil
			d.worker.Log.Info("told to stop: starting nothing more, returning what was not started",
				"running", d.slots-d.idle, "grace", d.policy.Grace)
			d.stop()
			graceOver = time.After(d.policy.Grace)
		}
		now := time.Now()
		d.handOut(now)
		if n := d.surplus(now); n > 0 {
			d.giveBack(n)
		}
		d.publish()
		d.excess = d.recaller != nil && d.recaller.Excess()
		if d.stopping && d.open == 0 && !d.calling {
			break
		}
		if !d.calling && (d.wantsItems(now) || !now.Before(d.callTime())) {
			d.call()
		}
		if d.idle == d.slots && d.open == 0 && !d.calling {
			d.rest(ctx)
			if ctx.Err() == nil {
				continue
			}
		}
		timer := time.NewTimer(time.Until(d.wakeTime(now)))
		select {
		case end := <-d.replies:
			if err := d.endCall(end); err != nil {
				interrupt()
				return err
			}
			switch {
			case d.status == queue.StatusDrained && d.open == 0 && d.durable:
				return nil
			case d.status == queue.StatusDrained && d.open == 0:
				if err := d.awaitDurable(); err != nil {
					return err
				}
			case d.status == queue.StatusLast && d.open == 0 && ctx.Err() == nil:
				if err := d.runLastStep(); err != nil {
					return err
				}
			case d.status == queue.StatusStopped:
				d.stop()
			case d.status == queue.StatusUnseeded && d.policy.SeedTimeout > 0 && time.Since(started) > d.policy.SeedTimeout:
				return ErrUnseeded
			}
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
		case <-d.wake:
			d.takeInAll()
		case <-timer.C:
			d.takeInAll()
		case <-stop:
		case <-graceOver:
			d.worker.Log.Info("the grace period is over: ending and returning the items that still run")
			interrupt()
		}
		timer.Stop()
	}
	switch {
	case d.invalid != nil && d.tried: // meanwhile it was run after all: another worker may go on
		return errors.New(d.invalid.Error())
	case d.invalid != nil:
		return d.invalid
	case d.status == queue.StatusStopped:
		return ErrStopped
	}
	return ctx.Err()
}

// awaitDurable waits until the end of the run is safe from the loss of Redis, and lets the queue be asked once more: a Redis that has lost
// its last second meanwhile has items again, and when the workers have ended no other would run them.
func (d *dispatcher) awaitDurable() error {
	err := d.retry(func(ctx context.Context) error {
		confirmed, err := d.worker.Queue.AwaitDurable(ctx, queue.DurableTimeout)
		if err == nil && !confirmed {
			d.worker.Log.Warn("redis has not confirmed that the end of the run is on its disk and on a replica, as it keeps them", "waited", queue.DurableTimeout)
		}
		return err
	})
	d.durable, d.leaseAgain = true, time.Now()
	return err
}

// publish makes the stats visible to other goroutines.
func (d *dispatcher) publish() {
	s := d.stats
	d.worker.stats.Store(&s)
}

// stop starts and leases nothing more.
func (d *dispatcher) stop() {
	d.stopping = true
	d.giveBack(d.unstarted)
}

// handOut gives items to idle slots.
func (d *dispatcher) handOut(now time.Time) {
	for d.idle > 0 && d.unstarted > 0 {
		n := d.chunkSize()
		c := d.newChunk()
		c.start(d.next, d.next.next, d.next.next+n, now)
		d.chunks[c] = true
		d.tasks <- c
		d.idle--
		d.moved = now
		d.stats.Running += n
		d.next.next += n
		d.unstarted -= n
	}
}

func (d *dispatcher) newChunk() *chunk {
	if last := len(d.spare) - 1; last >= 0 {
		c := d.spare[last]
		d.spare = d.spare[:last]
		return c
	}
	return &chunk{wake: d.wake}
}

// giveBack returns n of the items that were not started, the last ones.
func (d *dispatcher) giveBack(n int) {
	for range n {
		d.next.end--
		d.next.finish(d.next.end, &queue.ItemOutcome{Outcome: queue.OutcomeReturned})
	}
	if n > 0 {
		d.stats.Returned += n
		d.unstarted -= n
		d.noteUnreported(time.Now())
		d.urgent = true // another worker may be idle
	}
}

// callEnd is how a call to the queue ended.
type callEnd struct {
	request  queue.Request
	reply    queue.Reply
	took     time.Duration // by the last try
	withheld bool          // some outcomes did not fit into the request
	err      error
}

// call begins an exchange with the queue, for as long as Redis may be unreachable. Items run and end meanwhile; endCall takes in
// the reply.
func (d *dispatcher) call() {
	d.takeInAll()
	var request queue.Request
	budget := newTextBudget()
	for _, b := range d.batches {
		request.Reports = append(request.Reports, b.report(budget))
	}
	now := time.Now()
	if d.wantsItems(now) {
		request.Want, request.Fill, request.Idle = d.leaseSize(), d.together(), d.idle > 0
		request.Rests = d.idle == d.slots && d.open == 0
		d.lastBatch = request.Want
	}
	request.Status = d.statusReport(now)
	d.calling, d.unreported, d.urgent = true, time.Time{}, false
	go func() {
		end := callEnd{request: request, withheld: budget.exceeded}
		exchange := d.session.Exchange
		end.err = d.retry(func(try context.Context) (err error) {
			began := time.Now()
			end.reply, err = exchange(try, request)
			end.took, exchange = time.Since(began), d.session.Repeat
			return err
		})
		d.replies <- end
	}()
}

// endCall takes in the end of a call.
func (d *dispatcher) endCall(end callEnd) error {
	d.calling = false
	if end.err != nil {
		return end.err
	}
	reply := end.reply
	d.stats.calls.Add(end.took, 1)
	d.connected = true
	d.lastCall = time.Now()
	d.noteReported(d.settle(reply), end.took, end.withheld)
	if reply.Idle && d.recaller != nil {
		d.recaller.Recall()
	}
	d.exclusive = reply.Isolate || d.holdsSuspect()
	d.status = reply.Status
	d.watch = reply.Watch
	d.durable = d.durable && reply.Status == queue.StatusDrained
	if reply.Status == queue.StatusLimited && d.lastCall.Sub(d.rateLogged) > rateLogInterval {
		d.worker.Log.Info("the rate holds items back", "next_in", reply.Wait, "items_per_second", d.policy.Limits.Rate)
		d.rateLogged = d.lastCall
	}
	switch {
	case reply.Batch != nil:
		d.take(reply.Batch)
	case end.request.Want > 0:
		d.leaseAgain = d.lastCall.Add(pollDelay(reply))
	}
	d.unsettled = 0
	for _, b := range d.batches {
		d.unsettled += len(b.Items) - b.acked
	}
	return nil
}

// noteReported notes how many outcomes a call has brought to the queue, how long that took, and whether others are left.
func (d *dispatcher) noteReported(outcomes int, took time.Duration, withheld bool) {
	d.withheld = withheld
	if withheld {
		d.noteUnreported(d.lastCall)
		d.urgent = true
	}
	// A call with few outcomes shows little about one that is full.
	if outcomes > 0 && (withheld || took/time.Duration(outcomes) < d.perOutcome) {
		d.perOutcome = pace.After(d.perOutcome, outcomes, took)
	}
}

// settle takes in the reply to the reports. It returns how many outcomes the queue has by that.
func (d *dispatcher) settle(reply queue.Reply) (outcomes int) {
	for _, b := range slices.Clone(d.batches) {
		known, rolledBack := reply.RolledBack[b.ID]
		switch {
		case rolledBack:
			d.worker.Log.Warn("redis has lost the last reports, or has no room for the items that they push: repeating them", "batch_id", b.ID)
			b.rollBack(known)
			d.noteUnreported(d.lastCall)
			continue
		case slices.Contains(reply.Lost, b.ID):
			d.worker.Log.Warn("lease lost: other workers run its items, and outcomes from here no longer count",
				"batch_id", b.ID, "items", len(b.Items)-b.finished)
			d.stats.LostLeases++
			d.stats.Lost += len(b.Items) - b.finished
			d.release(b)
			continue
		}
		if outcomes += b.reported(); b.released() {
			d.release(b)
		}
	}
	return outcomes
}

// pollDelay returns when to ask for items again. It spreads the calls of many idle workers, which all get the same reply.
func pollDelay(reply queue.Reply) time.Duration {
	switch {
	case reply.Status == queue.StatusPaused:
		return idlePoll + rand.N(idlePoll/2)
	case reply.Wait >= idlePoll:
		return reply.Wait - rand.N(reply.Wait/2)
	}
	return reply.Wait + rand.N(min(reply.Wait, 50*time.Millisecond)+time.Millisecond)
}

func (d *dispatcher) take(leased *queue.Batch) {
	b := newBatch(d.running, leased)
	b.remember = d.policy.Remember
	d.batches = append(d.batches, b)
	d.next = b
	d.open, d.unstarted, d.leased = len(d.batches), b.unstarted(), d.lastCall
	d.exclusive = d.exclusive || b.Suspect
	if d.stopping {
		d.giveBack(d.unstarted)
	}
}

func (d *dispatcher) holdsSuspect() bool {
	for _, b := range d.batches {
		if b.Suspect {
			return true
		}
	}
	return false
}

func (d *dispatcher) release(b *batch) {
	b.cancel()
	b.over = true
	d.batches = slices.DeleteFunc(d.batches, func(other *batch) bool { return other == b })
	d.open = len(d.batches)
	if d.next == b {
		d.next, d.unstarted = nil, 0
	}
}

func (d *dispatcher) noteUnreported(since time.Time) {
	if d.unreported.IsZero() {
		d.unreported = since
	}
}

// rest waits, while nothing is held, until there may be something to lease.
func (d *dispatcher) rest(ctx context.Context) {
	wait := time.Until(d.leaseAgain)
	if wait <= 0 {
		return
	}
	if d.status != queue.StatusWait || d.exclusive { // neither a push nor a bell would change anything
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		return
	}
	resting := time.Now()
	await := d.worker.Queue.AwaitBell
	if d.watch {
		await = d.worker.Queue.AwaitPush
	}
	woken, err := await(ctx, wait)
	if woken {
		d.leaseAgain = time.Now()
	}
	if err == nil {
		return
	}
	if left := wait - time.Since(resting); ctx.Err() == nil && left > 0 {
		time.Sleep(min(left, idlePoll)) // the exchange that follows will report what is wrong
	}
}

// finish takes in a chunk whose handler has returned.
func (d *dispatcher) finish(c *chunk) {
	d.takeIn(c)
	delete(d.chunks, c)
	d.idle++
	if missing := c.to - c.from - c.taken; missing > 0 { // a handler that breaks its contract must not lose items
		d.stats.Running -= missing
		for i := c.from; i < c.to && !c.batch.over; i++ {
			if !c.batch.has(c.batch.bitmap, i) {
				c.batch.finish(i, d.outcome(c.batch.Items[i], &attempt{Outcome: queue.OutcomeReturned}))
				d.noteUnreported(time.Now())
			}
		}
	}
	c.batch = nil
	clear(c.attempts)
	d.spare = append(d.spare, c)
}

// takeInAll takes in what has ended in all chunks.
func (d *dispatcher) takeInAll() {
	for c := range d.chunks {
		d.takeIn(c)
	}
}

// takeIn takes in the attempts of a chunk that have ended.
func (d *dispatcher) takeIn(c *chunk) {
	ended, since := c.take()
	d.stats.Running -= len(ended)
	b := c.batch
	if len(ended) == 0 || b.over { // or its lease was lost
		return
	}
	items, took := c.ran(ended, time.Now())
	if items > 0 {
		d.perItem = pace.After(d.perItem, items, took)
	}
	for _, i := range ended {
		a := &c.attempts[i]
		b.finish(c.from+i, d.outcome(b.Items[c.from+i], a))
		if ran(a) {
			d.stats.items.Add(a.Duration, 1)
			d.reporter.ended(a)
		}
	}
	d.noteUnreported(since)
	if d.invalid != nil && !d.stopping {
		d.stop()
	}
}
