package monitor

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

const (
	workersInterval = 2 * time.Second
	leasesRead      = 500
	itemShown       = 200  // bytes of a leased item
	recordsLately   = 1000 // of results and of dead letters, from which latencies and workers' outcomes are taken
)

// Workers is who works on a run now, and how long attempts took lately.
type Workers struct {
	Workers []Worker `json:"workers"`
	More    bool     `json:"more"` // there are more leases than were read
	Latency Latency  `json:"latency"`
}

// Worker is a worker that holds a lease.
type Worker struct {
	Worker    string     `json:"worker"`
	Pod       string     `json:"pod"`
	Node      string     `json:"node,omitempty"` // known from its latest record
	Since     time.Time  `json:"since"`          // when the oldest of its batches was leased
	Expires   time.Time  `json:"expires"`        // when the first of its leases ends unless it is renewed
	Leased    int        `json:"leased"`         // items it holds that have no outcome yet
	Item      Item       `json:"item"`           // the first of them
	Done      int        `json:"done"`           // of its pod's latest records
	Dead      int        `json:"dead"`
	Rate      float64    `json:"rate"` // records per second of its pod, 0 if unknown
	LastError *LastError `json:"last_error,omitempty"`
}

// Item is a leased item.
type Item struct {
	ID       string `json:"id"`
	Attempts int    `json:"attempts"` // failed ones so far
	Crashes  int    `json:"crashes"`
	record.Payload
}

// LastError is the latest dead letter of a worker's pod.
type LastError struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	Key    string    `json:"key"` // of the dead letter
}

// Latency is how long the latest recorded attempts took: dead ones, and done ones whose result was kept.
type Latency struct {
	Attempts int     `json:"attempts"` // how many there are; the rest is 0 if there are none
	Done     int     `json:"done"`     // of them; the others are dead
	P50      float64 `json:"p50"`      // seconds
	P95      float64 `json:"p95"`
	Max      float64 `json:"max"`
}

func (s *Server) serveWorkers(w http.ResponseWriter, r *http.Request, run *run) {
	all, err := run.workers.get(r.Context(), "", workersInterval, func(ctx context.Context) (Workers, error) {
		return readWorkers(ctx, run.queue)
	})
	if err != nil {
		unavailable(w, err)
		return
	}
	respond(w, all)
}

func readWorkers(ctx context.Context, q *queue.Queue) (Workers, error) {
	leases, err := q.Running(ctx, leasesRead, 1)
	if err != nil {
		return Workers{}, err
	}
	lately, err := readLately(ctx, q)
	if err != nil {
		return Workers{}, err
	}
	workers := map[string]*Worker{}
	for _, lease := range leases {
		w := workers[lease.Worker]
		if w == nil {
			w = &Worker{Worker: lease.Worker, Pod: podOf(lease.Worker), Since: lease.Since, Expires: lease.Expires}
			workers[lease.Worker] = w
		}
		w.Leased += lease.Open
		if lease.Expires.Before(w.Expires) {
			w.Expires = lease.Expires
		}
		if len(lease.Items) > 0 && (w.Item.ID == "" || lease.Since.Before(w.Since)) {
			item := lease.Items[0]
			w.Item = Item{item.ID, item.Attempts, item.Crashes, record.NewPayload(item.Payload, itemShown)}
		}
		if lease.Since.Before(w.Since) {
			w.Since = lease.Since
		}
	}
	all := Workers{Workers: []Worker{}, More: len(leases) == leasesRead, Latency: lately.latency()}
	for _, w := range workers {
		lately.complete(w)
		all.Workers = append(all.Workers, *w)
	}
	slices.SortFunc(all.Workers, func(a, b Worker) int {
		if c := a.Since.Compare(b.Since); c != 0 { // the one that may hang is first
			return c
		}
		return strings.Compare(a.Worker, b.Worker)
	})
	return all, nil
}

// podOf returns the host part of a worker's name, which ends with a random part.
func podOf(worker string) string {
	if i := strings.LastIndexByte(worker, '.'); i > 0 {
		return worker[:i]
	}
	return worker
}

// lately is what the latest records tell of attempts, by pod.
type lately struct {
	seconds []float64
	done    int
	pods    map[string]*podRecords
}

type podRecords struct {
	done, dead  int
	first, last time.Time // ends of attempts
	node        string
	lastError   *LastError
}

func readLately(ctx context.Context, q *queue.Queue) (*lately, error) {
	l := &lately{pods: map[string]*podRecords{}}
	for _, kind := range []queue.Kind{queue.KindResults, queue.KindDead} {
		var window record.Window
		err := window.Scan(ctx, q.Records(kind), "", func(r queue.Record) bool {
			if window.Read == recordsLately {
				return false
			}
			l.add(kind, r)
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(l.seconds)
	return l, nil
}

func (l *lately) add(kind queue.Kind, r queue.Record) {
	attempt := record.NewPart(r, itemShown)
	if attempt.Started.IsZero() { // its worker died and recorded nothing
		return
	}
	ended := attempt.Started.Add(time.Duration(attempt.Seconds * float64(time.Second)))
	l.seconds = append(l.seconds, attempt.Seconds)
	pod := l.pods[attempt.Host]
	if pod == nil {
		pod = &podRecords{first: ended, last: ended}
		l.pods[attempt.Host] = pod
	}
	if ended.Before(pod.first) {
		pod.first = ended
	}
	if ended.After(pod.last) {
		pod.last = ended
	}
	if pod.node == "" {
		pod.node = attempt.Node
	}
	if kind == queue.KindResults {
		pod.done++
		l.done++
		return
	}
	if pod.dead++; pod.lastError == nil {
		pod.lastError = &LastError{At: ended, Reason: attempt.Reason, Key: r.Key}
	}
}

// complete adds to a worker what its pod's records tell.
func (l *lately) complete(w *Worker) {
	pod := l.pods[w.Pod]
	if pod == nil {
		return
	}
	w.Node, w.Done, w.Dead, w.LastError = pod.node, pod.done, pod.dead, pod.lastError
	if took := pod.last.Sub(pod.first).Seconds(); took > 0 && l.done > 0 { // else nobody knows how many were done
		w.Rate = float64(pod.done+pod.dead-1) / took
	}
}

func (l *lately) latency() Latency {
	n := len(l.seconds)
	if n == 0 {
		return Latency{}
	}
	at := func(share float64) float64 { return l.seconds[int(math.Ceil(share*float64(n)))-1] }
	return Latency{Attempts: n, Done: l.done, P50: at(.5), P95: at(.95), Max: l.seconds[n-1]}
}
