package queue_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

const (
	modelCrashes = 2 // of an item that runs alone
	modelSnoozes = 2
	far          = time.Hour // a lease or a delay that does not run out by itself during the test
)

// model is the queue as it is meant to be, without Redis. Time passes in it only when the test says so.
type model struct {
	ready    []string
	taken    int
	unjoined []string // published while the list was not empty, and not yet at its end
	open     map[string]*modelBatch
	delayed  map[string]*modelItem // by id
	groups   map[string]int        // how many items may be leased with an item at most, by its id
	suspects []queue.Item
	dead     []queue.Item
	done     int
	sealed   bool
	results  int
	away     bool // nobody has called since Redis was away
	stepped  bool // nobody has called since Redis's clock was set back
	paused   bool
	dueLast  bool   // the last batch that could have been either was of due items
	isolated string // worker that makes itself free for a suspect

	unique    bool            // no payload may be in the run twice
	seen      map[string]bool // payloads that were
	known     map[string]bool // payloads that were reported for later runs to leave out
	cancelled []queue.Item
	history   int

	limited bool // the rate allows one item, and then none until time passes
	used    bool // that one was leased

	hasStep bool // workers have a last step
	step    modelStep

	finished bool // a worker has been told that the run is drained, and nothing has come since
}

// modelStep is the last step of the run.
type modelStep struct {
	state             queue.LastStepState
	worker            string
	waits             bool // its lease is good, or its next attempt is not due
	outages           int  // since its lease was renewed
	outdated          bool // items were leased since it was
	attempts, crashes int
}

type modelBatch struct {
	queue.Batch
	finished []bool
	expired  int // order of expiry, 0 while the lease is good
	outages  int // since it was renewed
}

type modelItem struct {
	queue.Item
	due bool
}

func (b *modelBatch) unfinished() (items []queue.Item) {
	for i, item := range b.Items {
		if !b.finished[i] {
			items = append(items, item)
		}
	}
	return items
}

func (m *model) due() (due []string) {
	for id, item := range m.delayed {
		if item.due {
			due = append(due, id)
		}
	}
	return due
}

// leased counts what is with workers, as far as the queue knows.
func (m *model) leased() (n int) {
	for _, b := range m.open {
		n += len(b.unfinished())
	}
	return n
}

// comeBack notes a call. It ends an outage of Redis, which has cost each lease a third.
func (m *model) comeBack() {
	m.stepped = false
	if !m.away {
		return
	}
	m.away = false
	for _, b := range m.open {
		if b.expired == 0 {
			b.outages++
		}
	}
	if m.step.state == queue.LastStepRunning && m.step.waits {
		m.step.outages++
	}
}

// takeBack ends the lease that expired first.
func (m *model) takeBack() {
	var first *modelBatch
	for _, b := range m.open {
		if b.expired > 0 && (first == nil || b.expired < first.expired) {
			first = b
		}
	}
	if first == nil {
		return
	}
	delete(m.open, first.ID)
	items := first.unfinished()
	for _, item := range items {
		if first.Suspect || item.Crashes < 2 {
			item.Crashes++
		}
		m.groups[item.ID] = max(1, int(math.Sqrt(float64(len(items)))))
		switch {
		case first.Suspect && item.Crashes == 2+modelCrashes:
			m.dead = append(m.dead, item)
		case item.Crashes >= 2:
			m.suspects = append(m.suspects, item)
		default:
			m.delayed[item.ID] = &modelItem{item, true}
		}
	}
}

// add appends items to the list, those that a run of unique items has not had.
func (m *model) add(payloads []string) (added int) {
	for _, payload := range payloads {
		if m.unique && m.seen[payload] {
			continue
		}
		m.seen[payload] = true
		m.ready = append(m.ready, payload)
		added++
	}
	m.finished = m.finished && added == 0
	return added
}

// cancel takes out waiting items with that payload.
func (m *model) cancel(payload string) {
	m.join()
	m.ready = slices.DeleteFunc(m.ready, func(one string) bool {
		if one == payload {
			m.taken++
			m.cancelled = append(m.cancelled, queue.Item{ID: fmt.Sprint(m.taken), Payload: payload})
		}
		return one == payload
	})
	m.suspects = slices.DeleteFunc(m.suspects, func(one queue.Item) bool {
		if one.Payload == payload {
			m.cancelled = append(m.cancelled, one)
		}
		return one.Payload == payload
	})
	for id, item := range m.delayed {
		if item.Payload == payload {
			m.cancelled = append(m.cancelled, item.Item)
			delete(m.delayed, id)
		}
	}
}

// join brings a published list to the end of the ready one, when somebody calls.
func (m *model) join() {
	m.ready, m.unjoined = append(m.ready, m.unjoined...), nil
}

// alone counts the suspects that run now.
func (m *model) alone() (n int) {
	for _, b := range m.open {
		if b.Suspect {
			n++
		}
	}
	return n
}

// lease is what a call should lease: nothing, a suspect, due items or fresh ones, and how many at most.
type lease struct {
	suspect, due bool
	atMost       int
	isolate      bool // nothing, as a suspect waits for this worker
	limited      bool // nothing, as the rate allows no more
}

// lease predicts the next batch for a worker that holds so many others.
func (m *model) lease(worker string, request queue.Request, held int) lease {
	if request.Want == 0 || m.paused {
		return lease{}
	}
	if m.limited {
		if m.used {
			return lease{limited: len(m.ready)+len(m.suspects)+len(m.due()) > 0}
		}
		request.Want = 1
	}
	due := len(m.due())
	waiting := len(m.ready) + due
	if len(m.suspects) > 0 && (waiting == 0 || m.alone() < max(1, len(m.open)/4)) {
		if held == 0 {
			m.isolated = ""
			return lease{suspect: true, atMost: 1}
		}
		if waiting > 0 && (m.isolated == "" || m.isolated == worker) {
			m.isolated = worker
			return lease{isolate: true}
		}
	}
	fill := max(request.Fill, 1)
	least := fill
	if waiting < 2*fill {
		least = (fill + 3) / 4
	}
	share := (waiting + 2*(len(m.open)+1) - 1) / (2 * (len(m.open) + 1))
	n := min(request.Want, max(share, least))
	isDue := due > 0 && (len(m.ready) == 0 || !m.dueLast)
	if due > 0 && len(m.ready) > 0 {
		m.dueLast = isDue
	}
	if isDue {
		return lease{due: true, atMost: min(n, due)}
	}
	return lease{atMost: min(n, len(m.ready))}
}

// machine runs the model beside a queue on a real Redis.
type machine struct {
	model
	redis    *redis.Client
	queue    *queue.Queue
	sessions []*modelSession
	names    int
	expiries int
}

// modelSession is a worker: what it believes to hold, which is more than it has once a lease of it has expired.
type modelSession struct {
	*queue.Session
	name string
	held []string
	all  map[string]*modelBatch
}

func (m *machine) newSession() *modelSession {
	m.names++
	limits := queue.Limits{Lease: far, BatchBytes: 1 << 20, MaxCrashes: modelCrashes, MaxSnoozes: modelSnoozes, Kept: queue.Cap{Records: 1000}, LastStep: m.hasStep, Retention: far}
	if m.limited {
		limits.Rate = 1 / far.Seconds()
	}
	name := fmt.Sprintf("w%d", m.names)
	return &modelSession{Session: m.queue.NewSession(name, limits), name: name, all: map[string]*modelBatch{}}
}

var payloads = rapid.OneOf(
	rapid.SampledFrom([]string{"", "apple", "apple", "1:2:3:x", "\x00", "\xff\xfe", "a\nb"}),
	rapid.StringN(0, 40, 300),
)

func TestModel(t *testing.T) {
	client := redistest.Start(t).Client()
	defer client.Close()
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		if err := client.FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		m := &machine{redis: client, queue: queue.New(client, "job2")}
		m.open, m.delayed, m.groups = map[string]*modelBatch{}, map[string]*modelItem{}, map[string]int{}
		m.seen, m.known = map[string]bool{}, map[string]bool{}
		m.unique = rapid.IntRange(0, 3).Draw(t, "unique") == 0
		m.limited = rapid.IntRange(0, 7).Draw(t, "limited") == 0
		m.hasStep = rapid.IntRange(0, 3).Draw(t, "last step") == 0
		seed := rapid.SliceOfN(payloads, 0, 40).Draw(t, "seed")
		m.seed(t, "first", seed)
		m.sessions = []*modelSession{m.newSession(), m.newSession(), m.newSession()}
		t.Repeat(map[string]func(*rapid.T){
			"exchange":   m.exchange,
			"exchange 2": m.exchange, // more often than the rest
			"push": func(t *rapid.T) {
				some := rapid.SliceOfN(payloads, 1, 5).Draw(t, "payloads")
				pusher := m.queue.NewPusher()
				added, err := pusher.Push(ctx, some...)
				must(t, err)
				if rapid.Bool().Draw(t, "reply lost") {
					again, err := pusher.Repeat(ctx, some...)
					must(t, err)
					if again != added {
						t.Fatalf("a repeated push appended %d items, the first one %d", again, added)
					}
				}
				must(t, pusher.Close(ctx))
				if want := m.add(some); added != want {
					t.Fatalf("the push appended %d items of %q, want %d", added, some, want)
				}
			},
			"cancel": func(t *rapid.T) {
				payload := payloads.Draw(t, "payload")
				must(t, m.queue.Cancel(ctx, func(one string) bool { return one == payload }, queue.Cap{}))
				before := len(m.cancelled)
				m.cancel(payload)
				m.history += len(m.cancelled) - before
			},
			"last step": m.lastStep,
			"seed": func(t *rapid.T) {
				m.names++
				m.seed(t, fmt.Sprintf("s%d", m.names), rapid.SliceOfN(payloads, 0, 10).Draw(t, "seed"))
			},
			"pause": func(t *rapid.T) {
				if m.paused = rapid.IntRange(0, 3).Draw(t, "paused") == 0; m.paused {
					must(t, m.queue.Pause(ctx))
				} else {
					must(t, m.queue.Resume(ctx))
				}
			},
			"seal": func(t *rapid.T) {
				must(t, m.queue.Seal(ctx))
				m.sealed = true
			},
			"expire": m.expire,
			"outage": m.goAway,
			"clock":  m.setBack,
			"leave": func(t *rapid.T) { // what it holds is not returned
				who := rapid.IntRange(0, 2).Draw(t, "who")
				must(t, m.sessions[who].Close(ctx, ""))
				m.sessions[who] = m.newSession()
			},
			"crash": func(t *rapid.T) { // the process is gone, what it held is not
				m.sessions[rapid.IntRange(0, 2).Draw(t, "who")] = m.newSession()
			},
			"time": func(t *rapid.T) { // something delayed becomes due
				for id, item := range m.delayed {
					if !item.due && rapid.Bool().Draw(t, "due "+id) {
						item.due = true
						e := fmt.Sprintf("%s:%d:%d:%d:%d:%s", id, item.Attempts, item.Crashes, item.Snoozes, m.groups[id], item.Payload)
						must(t, client.ZAddXX(ctx, "{job2}:delayed", redis.Z{Score: 1, Member: e}).Err())
						if client.ZScore(ctx, "{job2}:delayed", e).Val() != 1 {
							t.Fatalf("no envelope %q", e)
						}
					}
				}
				if m.used {
					must(t, client.HSet(ctx, "{job2}:state", "used_until", 1).Err())
					m.used = false
				}
				if m.step.waits {
					must(t, client.HSet(ctx, "{job2}:state", "last_until", 1).Err())
					m.step.waits = false
				}
			},
			"retry": m.retry,
			"":      m.check,
		})
	})
}

// exchange lets one worker report some progress and ask for more, sometimes twice as after a lost reply.
func (m *machine) exchange(t *rapid.T) {
	ctx := context.Background()
	s := m.sessions[rapid.IntRange(0, 2).Draw(t, "who")]
	request := queue.Request{Want: rapid.IntRange(0, 6).Draw(t, "want"), Fill: rapid.IntRange(0, 5).Draw(t, "fill")}
	m.comeBack()
	m.join()
	var lost []string
	held := 0
	still := s.held[:0:0]
	for _, id := range s.held {
		b := s.all[id]
		report := queue.Report{Batch: id}
		before := slices.Clone(b.finished)
		for _, f := range before {
			if f {
				report.Before++
			}
		}
		finished := slices.Clone(b.finished)
		var ends []func()
		for i, item := range b.Items {
			if finished[i] || !rapid.Bool().Draw(t, "end "+item.ID) {
				continue
			}
			finished[i] = true
			kind := rapid.SampledFrom([]queue.Outcome{"", "", "", queue.OutcomeFailed, queue.OutcomeSnoozed, queue.OutcomeSnoozed,
				queue.OutcomeReturned, queue.OutcomeDead, queue.OutcomeDone}).Draw(t, "kind")
			if kind == "" || kind == queue.OutcomeDone {
				report.Done++
				ends = append(ends, func() { m.done++ })
				if rapid.Bool().Draw(t, "known") {
					report.Known = append(report.Known, item.Payload)
					ends = append(ends, func() { m.known[item.Payload] = true })
				}
			}
			outcome := queue.ItemOutcome{Position: i, Outcome: kind, Delay: far, Text: "text"}
			if kind != "" && rapid.Bool().Draw(t, "entry") {
				outcome.Entry = "entry"
				ends = append(ends, func() { m.history++ })
			}
			switch kind {
			case "":
				continue
			case queue.OutcomeDone:
				if rapid.Bool().Draw(t, "no result") {
					outcome.Text = ""
				} else {
					ends = append(ends, func() { m.results++ })
				}
				outcome.Push = rapid.SliceOfN(payloads, 0, 3).Draw(t, "push")
				ends = append(ends, func() { m.add(outcome.Push) })
			case queue.OutcomeSnoozed:
				ends = append(ends, func() {
					if item.Snoozes == modelSnoozes {
						m.dead = append(m.dead, item)
						return
					}
					item.Snoozes++
					m.delayed[item.ID] = &modelItem{item, false}
				})
			case queue.OutcomeReturned:
				ends = append(ends, func() { m.delayed[item.ID] = &modelItem{item, true} })
			case queue.OutcomeFailed:
				ends = append(ends, func() {
					item.Attempts++
					m.delayed[item.ID] = &modelItem{item, false}
				})
			case queue.OutcomeDead:
				ends = append(ends, func() {
					item.Attempts++
					m.dead = append(m.dead, item)
				})
			}
			report.Outcomes = append(report.Outcomes, outcome)
		}
		report.Release = !slices.Contains(finished, false)
		if !slices.Equal(before, finished) && !report.Release {
			report.Finished = bitmap(finished)
		}
		request.Reports = append(request.Reports, report)
		if m.open[id] == nil { // taken back meanwhile: the report must change nothing
			lost = append(lost, id)
			continue
		}
		copy(b.finished, finished)
		b.expired, b.outages = 0, 0 // a late report is a good one while nobody has noticed
		for _, end := range ends {
			end()
		}
		if report.Release {
			delete(m.open, id)
		} else {
			held++
			still = append(still, id)
		}
	}
	s.held = still
	m.takeBack()
	m.awaitStep()
	want := m.lease(s.name, request, held)
	reply, err := s.Exchange(ctx, request)
	must(t, err)
	if !slices.Equal(reply.Lost, lost) {
		t.Fatalf("lost batches: got %v, want %v", reply.Lost, lost)
	}
	m.leasedBatch(t, s, reply, want)

	if rapid.Bool().Draw(t, "reply lost") {
		m.takeBack()
		m.awaitStep()
		var want lease
		if reply.Batch == nil { // what was just taken back may be leased now
			want = m.lease(s.name, request, held)
		}
		again, err := s.Repeat(ctx, request)
		must(t, err)
		if reply.Batch == nil {
			m.leasedBatch(t, s, again, want)
			return
		}
		if m.open[reply.Batch.ID] == nil {
			t.Fatalf("the batch leased last is the last to expire")
		}
		if again.Batch == nil || again.Batch.ID != reply.Batch.ID || !slices.Equal(again.Batch.Items, reply.Batch.Items) {
			t.Fatalf("a repeated call leased %+v, the first one %+v", again.Batch, reply.Batch)
		}
	}
}

// awaitStep is what each call of a worker with a last step does: the queue knows that there is one to come.
func (m *model) awaitStep() {
	if m.hasStep && m.step.state == "" {
		m.step.state = queue.LastStepWaiting
	}
}

// drained reports whether no item is left, and none comes.
func (m *model) drained() bool {
	return m.sealed && len(m.ready)+len(m.unjoined)+len(m.delayed)+len(m.suspects)+len(m.open) == 0
}

// status is what a call returns that leases nothing.
func (m *model) status() queue.Status {
	switch {
	case m.drained():
		if m.step.state.Open() && m.paused {
			return queue.StatusPaused
		}
		if m.step.state.Open() {
			return queue.StatusLast
		}
		return queue.StatusDrained
	case m.paused:
		return queue.StatusPaused
	}
	return queue.StatusWait
}

// leasedBatch compares a reply with the prediction, and takes the batch into the model.
func (m *machine) leasedBatch(t *rapid.T, s *modelSession, reply queue.Reply, want lease) {
	if reply.Isolate != want.isolate {
		t.Fatalf("isolate %v, want %v; the state is %v, the model %+v", reply.Isolate, want.isolate,
			m.redis.HGetAll(context.Background(), "{job2}:state").Val(), m.model)
	}
	if want.atMost == 0 {
		status := m.status()
		if want.limited {
			status = queue.StatusLimited
		}
		if reply.Batch != nil || reply.Status != status {
			t.Fatalf("status %s, want %s (batch %+v)", reply.Status, status, reply.Batch)
		}
		m.finished = m.finished || status == queue.StatusDrained
		if reply.Status == queue.StatusPaused && reply.Wait < time.Second {
			t.Fatalf("to wait for %v only while paused", reply.Wait)
		}
		return
	}
	if reply.Batch == nil {
		t.Fatalf("nothing leased, status %s; want %+v", reply.Status, want)
	}
	got := reply.Batch.Items
	if reply.Batch.Suspect != want.suspect {
		t.Fatalf("leased %+v, want %+v", reply.Batch, want)
	}
	switch {
	case want.due:
		m.takeDue(t, got, want.atMost)
	case want.suspect:
		if !slices.Equal(got, m.suspects[:1]) {
			t.Fatalf("leased %+v, want the suspect %+v alone", reply.Batch, m.suspects[0])
		}
		m.suspects = m.suspects[1:]
	default:
		var fresh []queue.Item
		for i := range want.atMost {
			fresh = append(fresh, queue.Item{ID: fmt.Sprint(m.taken + i + 1), Payload: m.ready[i]})
		}
		if !slices.Equal(got, fresh) {
			t.Fatalf("leased %+v, want %+v", reply.Batch, fresh)
		}
		m.ready = m.ready[len(fresh):]
		m.taken += len(fresh)
	}
	m.used = m.limited
	m.finished = false
	if m.hasStep && !m.step.state.Open() {
		m.step = modelStep{}
	}
	m.step.outdated = m.step.outdated || m.step.state == queue.LastStepRunning
	b := &modelBatch{Batch: *reply.Batch, finished: make([]bool, len(got))}
	m.open[b.ID], s.all[b.ID] = b, b
	s.held = append(s.held, b.ID)
}

// takeDue takes leased items that were due out of the model. They may come in any order, which decides how many they are: no
// more than the group of any of them allows.
func (m *machine) takeDue(t *rapid.T, got []queue.Item, atMost int) {
	size := len(got)
	for _, item := range got {
		d := m.delayed[item.ID]
		if d == nil || !d.due || d.Item != item {
			t.Fatalf("leased %+v, which was not due: %+v", item, d)
		}
		if group := m.groups[item.ID]; group > 0 && size > group {
			t.Fatalf("leased %d items with %+v, which allows for %d", size, item, group)
		}
		delete(m.delayed, item.ID)
		atMost = min(atMost, max(m.groups[item.ID], 1000*(1-min(1, m.groups[item.ID]))))
	}
	if size < atMost { // the next one must have forbidden it
		next, err := m.redis.ZRange(context.Background(), "{job2}:delayed", 0, 0).Result()
		must(t, err)
		id, _, _ := strings.Cut(next[0], ":")
		if group := m.groups[id]; group == 0 || group > size {
			t.Fatalf("leased %d due items, want %d", size, atMost)
		}
	}
}

// seed publishes a further list.
func (m *machine) seed(t *rapid.T, name string, items []string) {
	ctx := context.Background()
	seeder := m.queue.NewSeeder(name)
	seeder.Unique = m.unique
	if m.unique {
		slices.Sort(items)
		items = slices.Compact(items)
	}
	for _, p := range items {
		must(t, seeder.Add(ctx, p))
	}
	items = slices.DeleteFunc(slices.Clone(items), func(p string) bool { return m.unique && m.seen[p] })
	for _, p := range items {
		m.seen[p] = true
	}
	if _, n, err := seeder.Publish(ctx, false); err != nil || n != len(items) {
		t.Fatalf("seeded %d of %d: %v", n, len(items), err)
	}
	m.finished = m.finished && len(items) == 0
	if len(m.ready) == 0 && len(m.unjoined) == 0 {
		m.ready = slices.Clone(items)
	} else {
		m.unjoined = append(m.unjoined, items...)
	}
}

// lastStep lets one worker do something about the last step.
func (m *machine) lastStep(t *rapid.T) {
	ctx := context.Background()
	s := m.sessions[rapid.IntRange(0, 2).Draw(t, "who")]
	step := &m.step
	mine := step.state == queue.LastStepRunning && step.worker == s.name
	action := rapid.SampledFrom([]string{"lease", "lease", "renew", "done", "done", "failed", "returned", "dead", "again"}).Draw(t, "action")
	if action != "again" {
		m.comeBack()
	}
	switch action {
	case "lease":
		reply, err := s.LeaseLastStep(ctx)
		must(t, err)
		leased := mine || step.state.Open() && !step.waits && !m.paused
		if leased && !mine && step.state == queue.LastStepRunning {
			if step.crashes++; step.crashes == modelCrashes {
				leased, step.state = false, queue.LastStepDead
			}
		}
		if leased {
			step.state, step.worker, step.waits, step.outages, step.outdated = queue.LastStepRunning, s.name, true, 0, false
		}
		if reply.Leased != leased || reply.Attempts != step.attempts {
			t.Fatalf("the last step: %+v, want leased %v and %d attempts; the state is %v", reply, leased, step.attempts,
				m.redis.HGetAll(ctx, "{job2}:state").Val())
		}
	case "renew":
		reply, err := s.RenewLastStep(ctx)
		must(t, err)
		if reply.Leased != mine {
			t.Fatalf("renewed %v, want %v", reply.Leased, mine)
		}
		if mine {
			step.waits, step.outages = true, 0
		}
	case "again":
		must(t, m.queue.RetryLastStep(ctx))
		if step.state == queue.LastStepDead {
			*step, m.finished = modelStep{state: queue.LastStepWaiting}, false
		}
	default:
		m.endLastStep(t, s, mine, queue.Outcome(action))
	}
}

// endLastStep reports the end of the last step.
func (m *machine) endLastStep(t *rapid.T, s *modelSession, mine bool, outcome queue.Outcome) {
	step := &m.step
	counts, err := s.EndLastStep(context.Background(), queue.ItemOutcome{Outcome: outcome, Delay: far, Text: "{}"})
	must(t, err)
	isStale := mine && outcome != queue.OutcomeReturned && (step.outdated || !m.drained())
	if counts == isStale {
		t.Fatalf("the end of the last step counts: %v; drained %v, %+v", counts, m.drained(), step)
	}
	switch {
	case !mine:
	case isStale:
		*step = modelStep{state: queue.LastStepWaiting}
	case outcome == queue.OutcomeDone:
		step.state = queue.LastStepDone
	case outcome == queue.OutcomeReturned:
		step.state, step.waits = queue.LastStepWaiting, false
	case outcome == queue.OutcomeFailed:
		step.attempts++
		step.state, step.waits = queue.LastStepWaiting, true
	case outcome == queue.OutcomeDead:
		step.attempts++
		step.state = queue.LastStepDead
	}
}

// expire lets a lease run out.
func (m *machine) expire(t *rapid.T) {
	var ids []string
	for id, b := range m.open {
		if b.expired == 0 {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	sort.Strings(ids)
	id := rapid.SampledFrom(ids).Draw(t, "batch")
	m.expiries++
	m.open[id].expired = m.expiries
	past := 1e9 * float64(m.expiries) // far from each other, since outages move them a little
	must(t, m.redis.ZAddXX(context.Background(), "{job2}:leases", redis.Z{Score: past, Member: id}).Err())
}

// goAway has Redis away for longer than any lease. No lease runs out by that, but by the third time one would.
func (m *machine) goAway(t *rapid.T) {
	ctx := context.Background()
	const long = 2 * far
	for _, b := range m.open {
		if b.outages == 2 {
			return
		}
	}
	isRunning := m.step.state == queue.LastStepRunning && m.step.waits
	if m.away || m.stepped || len(m.open) == 0 && !isRunning || isRunning && m.step.outages == 2 {
		return
	}
	if m.redis.HExists(ctx, "{job2}:state", "last_call").Val() == false {
		return
	}
	if isRunning {
		must(t, m.redis.HIncrBy(ctx, "{job2}:state", "last_until", -long.Milliseconds()).Err())
	}
	m.away = true
	must(t, m.redis.HIncrBy(ctx, "{job2}:state", "last_call", -long.Milliseconds()).Err())
	for id := range m.open {
		must(t, m.redis.ZIncrBy(ctx, "{job2}:leases", -float64(long.Milliseconds()), id).Err())
	}
}

// setBack sets Redis's clock back: all times that it has noted are as much later. Nothing takes longer because of that, nor shorter.
func (m *machine) setBack(t *rapid.T) {
	ctx := context.Background()
	if m.away || !m.redis.HExists(ctx, "{job2}:state", "last_call").Val() {
		return
	}
	by := rapid.Int64Range(1000, 5*far.Milliseconds()).Draw(t, "ms")
	if !m.stepped { // the last call was just now, to the ms
		must(t, m.redis.HSet(ctx, "{job2}:state", "last_call", m.redis.Time(ctx).Val().UnixMilli()).Err())
	}
	m.stepped = true
	state := m.redis.HGetAll(ctx, "{job2}:state").Val()
	for field, unit := range map[string]int64{"last_call": 1, "last_until": 1, "idle_until": 1, "used_until": 1000} {
		if state[field] != "" {
			must(t, m.redis.HIncrBy(ctx, "{job2}:state", field, by*unit).Err())
		}
	}
	if worker, until, found := strings.Cut(state["isolated"], " "); found {
		ms, err := strconv.ParseInt(until, 10, 64)
		must(t, err)
		must(t, m.redis.HSet(ctx, "{job2}:state", "isolated", fmt.Sprint(worker, " ", ms+by)).Err())
	}
	for _, key := range []string{"{job2}:delayed", "{job2}:leases"} {
		for _, member := range m.redis.ZRange(ctx, key, 0, -1).Val() {
			must(t, m.redis.ZIncrBy(ctx, key, float64(by), member).Err())
		}
	}
}

// retry puts some dead letters back.
func (m *machine) retry(t *rapid.T) {
	ctx := context.Background()
	var letters []string
	var left []queue.Item
	i := 0
	must(t, m.queue.DeadLetters(ctx, func(r queue.Record) bool {
		dead := m.dead[i]
		if r.ItemID != dead.ID || r.Payload != dead.Payload || r.Attempts != dead.Attempts || r.Crashes != dead.Crashes {
			t.Fatalf("dead letter %d is %+v, want %+v", i, r, dead)
		}
		if rapid.Bool().Draw(t, "retry "+dead.ID) {
			letters = append(letters, r.Key)
			m.groups[dead.ID] = 0
			m.delayed[dead.ID] = &modelItem{queue.Item{ID: dead.ID, Payload: dead.Payload}, true}
		} else {
			left = append(left, dead)
		}
		i++
		return true
	}))
	if i != len(m.dead) {
		t.Fatalf("%d dead letters, want %d", i, len(m.dead))
	}
	back, err := m.queue.Retry(ctx, letters)
	must(t, err)
	if back != len(letters) {
		t.Fatalf("%d of %d dead letters went back", back, len(letters))
	}
	m.dead = left
	m.finished = m.finished && back == 0
}

// check holds the counts against the model, after every step.
func (m *machine) check(t *rapid.T) {
	c, err := m.queue.Counts(context.Background())
	must(t, err)
	got := []int{c.Ready, c.Leased, c.Delayed, c.Suspects, c.Dead, c.Done, c.Cancelled, c.Taken}
	want := []int{len(m.ready) + len(m.unjoined), m.leased(), len(m.delayed), len(m.suspects), len(m.dead), m.done, len(m.cancelled), m.taken}
	if !slices.Equal(got, want) {
		t.Fatalf("ready, leased, delayed, suspects, dead, done, cancelled, taken: got %v, want %v", got, want)
	}
	if c.LastStep != m.step.state {
		t.Fatalf("the last step is %q, want %q", c.LastStep, m.step.state)
	}
	if m.finished == c.Finished.IsZero() {
		t.Fatalf("the run has finished at %v, want %v", c.Finished, m.finished)
	}
	for _, suffix := range []string{"state", "leases", "delayed", "suspects", "joining", "dead", "results", "workers", "history", "seen", "known"} {
		ttl := m.redis.PTTL(context.Background(), "{job2}:"+suffix).Val()
		if ttl > 0 && !m.finished || ttl == -1 && m.finished && (suffix == "dead" || suffix == "results") {
			t.Fatalf("%s expires in %v; the run has finished: %v", suffix, ttl, m.finished)
		}
	}
	if !c.Consistent() {
		t.Fatalf("the accounts do not balance: %+v", c)
	}
	ctx := context.Background()
	for _, length := range []struct {
		what string
		of   *redis.IntCmd
		want int
	}{
		{"results", m.redis.XLen(ctx, "{job2}:results"), m.results},
		{"entries of the history", m.redis.XLen(ctx, "{job2}:history"), m.history},
		{"known items", m.redis.SCard(ctx, "{job2}:known"), len(m.known)},
	} {
		if n, err := length.of.Result(); err != nil || int(n) != length.want {
			t.Fatalf("%d %s, want %d (%v)", n, length.what, length.want, err)
		}
	}
	if m.unique {
		if n := m.redis.SCard(ctx, "{job2}:seen").Val(); int(n) != len(m.seen) {
			t.Fatalf("%d items have been seen, want %d", n, len(m.seen))
		}
	}
}

func bitmap(finished []bool) []byte {
	bits := make([]byte, (len(finished)+7)/8)
	for i, f := range finished {
		if f {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return bits
}

func push(t rapid.TB, pusher *queue.Pusher, payloads ...string) {
	t.Helper()
	_, err := pusher.Push(context.Background(), payloads...)
	must(t, err)
}

func must(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
