package queue_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

const (
	modelCrashes = 2
	far          = time.Hour // a lease or a delay that does not run out by itself during the test
)

// model is the queue as it is meant to be, without Redis. Time passes in it only when the test says so.
type model struct {
	ready    []string
	taken    int
	open     map[string]*modelBatch
	delayed  map[string]*modelItem // by id
	suspects []queue.Item
	dead     []queue.Item
	done     int
	sealed   bool
	results  int
	away     bool // nobody has called since Redis was away
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

// comeBack ends an outage of Redis: it has cost each lease a third.
func (m *model) comeBack() {
	if !m.away {
		return
	}
	m.away = false
	for _, b := range m.open {
		if b.expired == 0 {
			b.outages++
		}
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
	for _, item := range first.unfinished() {
		if first.Suspect {
			item.Crashes++
		}
		if item.Crashes >= modelCrashes {
			m.dead = append(m.dead, item)
		} else {
			m.suspects = append(m.suspects, item)
		}
	}
}

// lease predicts the next batch for a worker that holds so many others. Items that are due may come in any order among
// themselves, so for them only the number is predicted.
func (m *model) lease(want, held int) (fresh, suspects []queue.Item, due int) {
	if want == 0 {
		return nil, nil, 0
	}
	if len(m.suspects) > 0 && held == 0 {
		return nil, m.suspects[:1], 0
	}
	waiting := len(m.ready) + len(m.due())
	share := (waiting + 2*(len(m.open)+1) - 1) / (2 * (len(m.open) + 1))
	n := min(want, share)
	if len(m.due()) > 0 {
		return nil, nil, min(n, len(m.due()))
	}
	for i := range min(n, len(m.ready)) {
		fresh = append(fresh, queue.Item{ID: fmt.Sprint(m.taken + i + 1), Payload: m.ready[i]})
	}
	return fresh, nil, 0
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
	held []string
	all  map[string]*modelBatch
}

func (m *machine) newSession() *modelSession {
	m.names++
	limits := queue.Limits{Lease: far, BatchBytes: 1 << 20, MaxCrashes: modelCrashes, MaxResults: 1000}
	return &modelSession{Session: m.queue.NewSession(fmt.Sprintf("w%d", m.names), limits), all: map[string]*modelBatch{}}
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
		m.open, m.delayed = map[string]*modelBatch{}, map[string]*modelItem{}
		seed := rapid.SliceOfN(payloads, 0, 40).Draw(t, "seed")
		seeder := m.queue.NewSeeder("s")
		for _, p := range seed {
			must(t, seeder.Add(ctx, p))
		}
		if _, n, err := seeder.Publish(ctx, false); err != nil || n != len(seed) {
			t.Fatalf("seeded %d of %d: %v", n, len(seed), err)
		}
		m.ready = seed
		m.sessions = []*modelSession{m.newSession(), m.newSession(), m.newSession()}
		t.Repeat(map[string]func(*rapid.T){
			"exchange":   m.exchange,
			"exchange 2": m.exchange, // more often than the rest
			"push": func(t *rapid.T) {
				some := rapid.SliceOfN(payloads, 1, 5).Draw(t, "payloads")
				name := rand.Text()
				for range rapid.IntRange(1, 2).Draw(t, "tries") { // the second because the first's reply was lost
					must(t, m.queue.Push(ctx, name, some...))
				}
				m.ready = append(m.ready, some...)
			},
			"seal": func(t *rapid.T) {
				must(t, m.queue.Seal(ctx))
				m.sealed = true
			},
			"expire": m.expire,
			"outage": m.goAway,
			"crash": func(t *rapid.T) { // the process is gone, what it held is not
				m.sessions[rapid.IntRange(0, 2).Draw(t, "who")] = m.newSession()
			},
			"time": func(t *rapid.T) { // something delayed becomes due
				for id, item := range m.delayed {
					if !item.due && rapid.Bool().Draw(t, "due "+id) {
						item.due = true
						e := fmt.Sprintf("%s:%d:%d:%s", id, item.Attempts, item.Crashes, item.Payload)
						must(t, client.ZAddXX(ctx, "{job2}:delayed", redis.Z{Score: 1, Member: e}).Err())
					}
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
	request := queue.Request{Want: rapid.IntRange(0, 6).Draw(t, "want")}
	m.comeBack()
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
		var fates []func()
		for i, item := range b.Items {
			if finished[i] || !rapid.Bool().Draw(t, "end "+item.ID) {
				continue
			}
			finished[i] = true
			kind := rapid.SampledFrom([]queue.Outcome{"", "", "", queue.OutcomeFailed, queue.OutcomeSnoozed, queue.OutcomeDead, queue.OutcomeDone}).Draw(t, "kind")
			if kind == "" || kind == queue.OutcomeDone {
				report.Done++
				fates = append(fates, func() { m.done++ })
			}
			verdict := queue.ItemOutcome{Position: i, Outcome: kind, Delay: far, Text: "text"}
			switch kind {
			case "":
				continue
			case queue.OutcomeDone:
				fates = append(fates, func() { m.results++ })
			case queue.OutcomeSnoozed:
				fates = append(fates, func() { m.delayed[item.ID] = &modelItem{item, false} })
			case queue.OutcomeFailed:
				fates = append(fates, func() {
					item.Attempts++
					m.delayed[item.ID] = &modelItem{item, false}
				})
			case queue.OutcomeDead:
				fates = append(fates, func() {
					item.Attempts++
					m.dead = append(m.dead, item)
				})
			}
			report.Outcomes = append(report.Outcomes, verdict)
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
		for _, fate := range fates {
			fate()
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
	fresh, suspects, due := m.lease(request.Want, held)
	drained := m.sealed && m.leased()+len(m.ready)+len(m.delayed)+len(m.suspects) == 0 && len(m.open) == 0

	reply, err := s.Exchange(ctx, request)
	must(t, err)
	if !slices.Equal(reply.Lost, lost) {
		t.Fatalf("lost batches: got %v, want %v", reply.Lost, lost)
	}
	m.leasedBatch(t, s, reply, fresh, suspects, due, drained)

	if rapid.Bool().Draw(t, "reply lost") {
		m.takeBack()
		again, err := s.Repeat(ctx, request)
		must(t, err)
		if reply.Batch != nil && m.open[reply.Batch.ID] == nil {
			t.Fatalf("the batch leased last is the last to expire")
		}
		switch {
		case reply.Batch != nil:
			if again.Batch == nil || again.Batch.ID != reply.Batch.ID || !slices.Equal(again.Batch.Items, reply.Batch.Items) {
				t.Fatalf("a repeated call leased %+v, the first one %+v", again.Batch, reply.Batch)
			}
		case again.Batch != nil: // what was just taken back may be leased now
			fresh, suspects, due := again.Batch.Items, []queue.Item(nil), 0
			if again.Batch.Suspect {
				fresh, suspects = nil, m.suspects[:1]
			}
			m.leasedBatch(t, s, again, fresh, suspects, due, false)
		}
	}
}

// leasedBatch compares a reply with the prediction, and takes the batch into the model.
func (m *machine) leasedBatch(t *rapid.T, s *modelSession, reply queue.Reply, fresh, suspects []queue.Item, due int, drained bool) {
	want := len(fresh) + len(suspects) + due
	if want == 0 {
		expected := queue.StatusWait
		if drained {
			expected = queue.StatusDrained
		}
		if reply.Batch != nil || reply.Status != expected {
			t.Fatalf("status %s, want %s (batch %+v)", reply.Status, expected, reply.Batch)
		}
		return
	}
	if reply.Batch == nil {
		t.Fatalf("nothing leased, status %s; want %d fresh, %d suspects, %d due", reply.Status, len(fresh), len(suspects), due)
	}
	got := reply.Batch.Items
	switch {
	case due > 0:
		if len(got) != due {
			t.Fatalf("leased %d due items, want %d", len(got), due)
		}
		for _, item := range got {
			d := m.delayed[item.ID]
			if d == nil || !d.due || d.Item != item {
				t.Fatalf("leased %+v, which was not due: %+v", item, d)
			}
			delete(m.delayed, item.ID)
		}
	case len(suspects) > 0:
		if !slices.Equal(got, suspects) || !reply.Batch.Suspect {
			t.Fatalf("leased %+v, want the suspect %+v alone", reply.Batch, suspects)
		}
		m.suspects = m.suspects[1:]
	default:
		if !slices.Equal(got, fresh) || reply.Batch.Suspect {
			t.Fatalf("leased %+v, want %+v", reply.Batch, fresh)
		}
		m.ready = m.ready[len(fresh):]
		m.taken += len(fresh)
	}
	b := &modelBatch{Batch: *reply.Batch, finished: make([]bool, len(got))}
	m.open[b.ID], s.all[b.ID] = b, b
	s.held = append(s.held, b.ID)
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
	if len(m.open) == 0 || m.away {
		return
	}
	m.away = true
	must(t, m.redis.HIncrBy(ctx, "{job2}:state", "heard", -long.Milliseconds()).Err())
	for id := range m.open {
		must(t, m.redis.ZIncrBy(ctx, "{job2}:leases", -float64(long.Milliseconds()), id).Err())
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
}

// check holds the counts against the model, after every step.
func (m *machine) check(t *rapid.T) {
	c, err := m.queue.Counts(context.Background())
	must(t, err)
	got := []int{c.Ready, c.Leased, c.Delayed, c.Suspects, c.Dead, c.Done, c.Taken}
	want := []int{len(m.ready), m.leased(), len(m.delayed), len(m.suspects), len(m.dead), m.done, m.taken}
	if !slices.Equal(got, want) {
		t.Fatalf("ready, leased, delayed, suspects, dead, done, taken: got %v, want %v", got, want)
	}
	if !c.Consistent() {
		t.Fatalf("the accounts do not balance: %+v", c)
	}
	results, err := m.redis.XLen(context.Background(), "{job2}:results").Result()
	must(t, err)
	if int(results) != m.results {
		t.Fatalf("%d results, want %d", results, m.results)
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

func must(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
