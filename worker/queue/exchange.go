package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Status is the state of a queue, as an exchange reports it to a worker.
type Status string

// The statuses.
const (
	StatusItems    Status = "items"    // a batch was leased
	StatusWait     Status = "wait"     // nothing to lease now, but the run goes on
	StatusLimited  Status = "limited"  // items are waiting, but the rate allows no more now
	StatusPaused   Status = "paused"   // nobody leases for now
	StatusLast     Status = "last"     // nothing is left but the last step, see LeaseLastStep
	StatusDrained  Status = "drained"  // sealed, and every item is done or dead
	StatusStopped  Status = "stopped"  // too many dead items: nothing is leased any more
	StatusUnseeded Status = "unseeded" // nobody has seeded this queue yet
)

// Outcome is how one attempt at an item ended, as the queue, the worker, the records, the logs and the metrics name it.
type Outcome string

// The outcomes. OutcomeFailed and OutcomeDead count as a failed attempt; the others are not an attempt, or a success.
const (
	OutcomeDone     Outcome = "done"
	OutcomeFailed   Outcome = "failed"   // to be retried after a delay
	OutcomeDead     Outcome = "dead"     // the last failed attempt
	OutcomeSnoozed  Outcome = "snoozed"  // the program asked for "later"; dead if it did so more than MaxSnoozes times
	OutcomeReturned Outcome = "returned" // not run, or interrupted; due again at once
)

// ItemOutcome is what became of one item of a batch, where that is more than "done".
type ItemOutcome struct {
	Position int           // in the batch, from 0
	Outcome  Outcome       // what to do with the item
	Delay    time.Duration // until it is due again, for OutcomeFailed and OutcomeSnoozed; whole milliseconds
	Text     string        // kept with the dead letter or the result; JSON. An item that is done without one has no result
	Entry    string        // kept in the history, "" for nothing; JSON
	Push     []string      // payloads that become items when this one becomes done; only with OutcomeDone
}

// Size returns how many bytes Redis handles for the outcome of an item with that payload.
func (o *ItemOutcome) Size(payload string) int {
	size := len(payload) + len(o.Text) + len(o.Entry)
	for _, pushed := range o.Push {
		size += len(pushed) + pushOverhead
	}
	return size
}

// MaxTexts is how many outcomes with a text, an entry or items to push one Exchange may carry, and MaxTextBytes how many bytes they may come to: it
// then keeps Redis for less than 5 ms. A single outcome may be larger.
const (
	MaxTexts     = 100
	MaxTextBytes = 1 << 20
	pushOverhead = 256 // bytes that cost Redis as much time as to push an item
)

// MaxPush is how many items one item may push, and MaxPushBytes how many bytes they may have: they are pushed in one step.
const (
	MaxPush      = 10000
	MaxPushBytes = 4 << 20
)

// Report is what has become of one leased batch. It renews the batch's lease, or ends it.
type Report struct {
	Batch    string        // id of the batch
	Release  bool          // every item of the batch has its outcome
	Finished []byte        // bitmap of all finished positions so far, lowest bit first; nil while unchanged
	Before   int           // number of finished positions in the last report
	Done     int           // items that became done since the last report, those with a result included
	Known    []string      // payloads of those of them that later runs leave out, see Seeder.Skip
	Outcomes []ItemOutcome // since the last report
}

// Cap limits the records of a kind: how many there are, and how many bytes they take. 0 is no limit.
type Cap struct{ Records, Bytes int }

// String returns the cap as the scripts read it.
func (c Cap) String() string { return fmt.Sprintf("%d:%d", c.Records, c.Bytes) }

// Limits are the parts of the queue's policy that its scripts apply.
type Limits struct {
	Lease      time.Duration // how long a worker may make no call before its items go to others; whole milliseconds
	BatchBytes int           // cap on the payload bytes of one batch
	MaxCrashes int           // crashes that an item which runs alone may cause before it is dead
	MaxSnoozes int           // snoozes that an item may have before it is dead, 0 for any number
	Rate       float64       // items per second that all workers together may lease, 0 for any number
	LastStep   bool          // the worker can run a last step after the run
	StopAfter  Portion       // dead letters at which the run stops early, 0 for never; a share is of the items that have ended, once a hundred have
	MaxDead    Portion       // dead letters with which the run is a success, so that it does not stop early
	Kept       Cap           // of the results, and of the history
	Retention  time.Duration // how long records outlive the end of the run, 0 for ever; whole milliseconds
}

// Request is one exchange: reports on what is held, and how much more is wanted.
type Request struct {
	Reports []Report
	Want    int // items at most in the next batch, 0 for none

	// Fill is how many items one slot takes at once, 0 for one. While there is plenty, a lease is not cut below it for
	// the sake of other workers.
	Fill int

	// Idle says that a slot of this worker is idle, so that other workers return what they hold if nothing is waiting for it.
	Idle bool

	// Rests says that this worker has nothing to do, and rests as Reply.Watch says if it gets nothing.
	Rests bool

	// Status is what the worker reports of itself: JSON, or "" for nothing new. It should be new every few seconds.
	Status string
}

// pushes reports whether any outcome pushes items.
func (r *Request) pushes() bool {
	for _, report := range r.Reports {
		for i := range report.Outcomes {
			if len(report.Outcomes[i].Push) > 0 {
				return true
			}
		}
	}
	return false
}

// Reply is the result of an exchange.
type Reply struct {
	Status  Status
	Wait    time.Duration // until something may change by itself; a second at least while paused
	Batch   *Batch        // the newly leased batch, nil without one
	Idle    bool          // a slot is idle in some worker, and nothing is waiting for it
	Watch   bool          // rest with AwaitPush; else, where it is StatusWait, with AwaitBell
	Isolate bool          // a suspect waits for this worker: lease nothing more until it holds nothing
	Lost    []string      // batches whose lease had expired: the reports about them changed nothing

	// RolledBack has, for some batches, the bitmap of positions that are finished as far as Redis knows: it has lost its
	// last second or so, or it is full and the reports push items. The reports about them only renewed the leases; what else is
	// finished must be reported again.
	RolledBack map[string][]byte
}

// Batch is a leased batch of items.
type Batch struct {
	ID      string
	Leased  time.Time // by Redis's clock
	Items   []Item
	Suspect bool // its only item was aboard two crashes: run it with nothing beside it
}

// Item is one unit of work.
type Item struct {
	ID       string // number in the order in which items were first leased, from 1; the same on every attempt
	Payload  string // any bytes
	Attempts int    // failed attempts so far
	Crashes  int    // workers that died while they had it; beyond the second, only those that ran it alone
	Snoozes  int    // times it was snoozed so far
}

// Session is one worker's connection with a queue. Its calls are numbered, so that a call whose reply was lost can be
// made again and settles nothing twice. It is used by one goroutine at a time.
type Session struct {
	// Settings describe the run to people: JSON. They are set before the first exchange.
	Settings string
	// Release is whose worker this is, see Queue.Release. It is set before the first exchange, together with Settings.
	Release string

	queue  *Queue
	worker string
	limits Limits
	epoch  string
	calls  int
	keys   []string
}

// NewSession opens a session for the worker of that name, which no other process may ever have used or use.
func (q *Queue) NewSession(worker string, limits Limits) *Session {
	return &Session{queue: q, worker: worker, limits: limits, keys: q.keys()}
}

// Exchange reports, takes back a batch whose lease has expired, and leases: one call to Redis. After an error the same
// request may be made again with Repeat; what the first try has done is not done twice.
func (s *Session) Exchange(ctx context.Context, request Request) (Reply, error) {
	s.calls++
	return s.Repeat(ctx, request)
}

// Repeat makes the last Exchange once more, with the same request.
func (s *Session) Repeat(ctx context.Context, request Request) (Reply, error) {
	raw, values, err := s.call(ctx, request, exchangeScript.EvalSha)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		raw, values, err = s.call(ctx, request, exchangeScript.Eval)
	}
	if err != nil {
		return Reply{}, err
	}
	reply, epoch, err := parseReply(raw, values)
	if err != nil {
		return Reply{}, fmt.Errorf("reply of exchange.lua: %w", err)
	}
	if reply.Status == "vanished" {
		return Reply{}, ErrVanished
	}
	s.epoch = epoch
	return reply, nil
}

// call runs the script and reads the batch that it may lease, in one round trip.
func (s *Session) call(ctx context.Context, request Request,
	eval func(context.Context, redis.Scripter, []string, ...any) *redis.Cmd) (raw []any, values []string, err error) {
	pipe := s.queue.redis.Pipeline()
	script := eval(ctx, pipe, s.keys, s.arguments(request)...)
	batch := redis.NewStringSliceCmd(ctx)
	if request.Want > 0 {
		batch = pipe.LRange(ctx, s.queue.key("b:"+s.worker+":"+strconv.Itoa(s.calls)), 0, -1)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, nil, err
	}
	raw, err = script.Slice()
	return raw, batch.Val(), err
}

// Close ends the session. Batches that it still holds expire. If it was the last on a sealed run that has not drained, the
// run's keys expire after the retention, unless another session goes on with the run before. A worker that cannot run any item says why.
func (s *Session) Close(ctx context.Context, broken string) error {
	return leaveScript.Run(ctx, s.queue.redis, s.keys, s.worker, s.limits.Retention.Milliseconds(), broken).Err()
}

func (s *Session) arguments(request Request) []any {
	l := s.limits
	interval := 0.0
	if l.Rate > 0 {
		interval = 1e6 / l.Rate
	}
	idle := 0
	switch {
	case request.Rests:
		idle = 2
	case request.Idle:
		idle = 1
	}
	settings, release := "", ""
	if s.epoch == "" {
		settings, release = s.Settings, s.Release
	}
	args := make([]any, 0, 21+7*len(request.Reports))
	args = append(args, s.epoch, s.worker, s.calls, l.Lease.Milliseconds(), request.Want, max(request.Fill, 1), l.BatchBytes,
		l.MaxCrashes, l.MaxSnoozes, l.StopAfter.String(), l.Retention.Milliseconds(), l.Kept.String(), interval, l.LastStep, request.Status, settings, release,
		idle, request.pushes(), l.MaxDead.String(), len(request.Reports))
	for _, r := range request.Reports {
		action := "keep"
		if r.Release {
			action = "release"
		}
		args = append(args, r.Batch, action, r.Finished, r.Before, r.Done, fingerprints(r.Known), len(r.Outcomes))
		for _, v := range r.Outcomes {
			args = append(args, v.Position+1, string(v.Outcome), v.Delay.Milliseconds(), v.Text, v.Entry, len(v.Push))
			for _, payload := range v.Push {
				args = append(args, payload)
			}
		}
	}
	return args
}

// parseReply reads the reply of exchange.lua, and the list b of the batch.
func parseReply(raw []any, values []string) (reply Reply, epoch string, err error) {
	if len(raw) != 9 {
		return reply, "", fmt.Errorf("%d fields in place of 9", len(raw))
	}
	status, ok1 := raw[0].(string)
	wait, ok2 := raw[1].(int64)
	epoch, ok3 := raw[2].(string)
	id, ok4 := raw[3].(string)
	isolate, ok5 := raw[4].(int64)
	lost, ok6 := raw[5].([]any)
	rolledBack, ok7 := raw[6].([]any)
	idle, ok8 := raw[7].(int64)
	watch, ok9 := raw[8].(int64)
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7 && ok8 && ok9) || len(rolledBack)%2 != 0 {
		return reply, "", fmt.Errorf("unexpected types %T", raw)
	}
	reply = Reply{Status: Status(status), Wait: time.Duration(wait) * time.Millisecond, Isolate: isolate == 1, Idle: idle == 1, Watch: watch == 1}
	for _, l := range lost {
		reply.Lost = append(reply.Lost, fmt.Sprint(l))
	}
	if len(rolledBack) > 0 {
		reply.RolledBack = map[string][]byte{}
	}
	for i := 0; i < len(rolledBack); i += 2 {
		reply.RolledBack[fmt.Sprint(rolledBack[i])] = []byte(fmt.Sprint(rolledBack[i+1]))
	}
	if reply.Status == StatusItems {
		if reply.Batch, err = parseBatch(id, 0, values); err != nil {
			return reply, "", fmt.Errorf("batch %s: %w", id, err)
		}
	}
	return reply, epoch, nil
}

// ErrBatchGone is returned when a batch was leased, but the server that was asked for its items has none: in a Cluster another node may
// take over between the two commands of a call. Repeat leases them, or others.
var ErrBatchGone = errors.New("its items are not there: another server may have taken over")

// parseBatch reads a batch as exchange.lua stores it: origin ':' time, then payloads or envelopes, from the given position on.
func parseBatch(id string, first int, values []string) (*Batch, error) {
	if len(values) == 0 {
		return nil, ErrBatchGone
	}
	head, values := values[0], values[1:]
	from, at, _ := strings.Cut(head, ":")
	origin, err1 := strconv.ParseInt(from, 10, 64)
	leased, err2 := strconv.ParseInt(at, 10, 64)
	if err1 != nil || err2 != nil {
		return nil, fmt.Errorf("no origin and time in %.40q", head)
	}
	batch := &Batch{ID: id, Leased: time.UnixMilli(leased), Suspect: origin < 0, Items: make([]Item, len(values))}
	if origin > 0 {
		number(batch.Items, origin+int64(first))
		for i, value := range values {
			batch.Items[i].Payload = value
		}
		return batch, nil
	}
	for i, value := range values {
		item, err := parseEnvelope(value)
		if err != nil {
			return nil, err
		}
		batch.Items[i] = item
	}
	return batch, nil
}

// number gives items consecutive ids. They are parts of one string: a thousand small ones would cost the worker more
// than the rest of its loop.
func number(items []Item, first int64) {
	digits := make([]byte, 0, 20*len(items))
	ends := make([]int, len(items))
	for i := range items {
		digits = strconv.AppendInt(digits, first+int64(i), 10)
		ends[i] = len(digits)
	}
	ids, start := string(digits), 0
	for i, end := range ends {
		items[i].ID, start = ids[start:end], end
	}
}

// parseEnvelope reads id ':' attempts ':' crashes ':' snoozes ':' group ':' payload. The group is the queue's own affair.
func parseEnvelope(envelope string) (Item, error) {
	parts := strings.SplitN(envelope, ":", 6)
	if len(parts) == 6 {
		attempts, err1 := strconv.Atoi(parts[1])
		crashes, err2 := strconv.Atoi(parts[2])
		snoozes, err3 := strconv.Atoi(parts[3])
		if err1 == nil && err2 == nil && err3 == nil {
			return Item{ID: parts[0], Attempts: attempts, Crashes: crashes, Snoozes: snoozes, Payload: parts[5]}, nil
		}
	}
	return Item{}, fmt.Errorf("not an envelope: %.40q", envelope)
}
