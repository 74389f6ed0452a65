package monitor

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

const (
	workersInterval = 2 * time.Second
	workersRead     = 500
	leasesRead      = 500
	itemShown       = 200  // bytes of a leased item
	recordsLately   = 1000 // of results and of dead letters, from which latencies are taken if no worker reports any
)

// Workers is who works on a run now, and how long attempts took lately.
type Workers struct {
	Workers  []Worker       `json:"workers"`
	More     bool           `json:"more"`              // there are more workers or leases than were read
	Running  *int           `json:"running,omitempty"` // items that run; nil if a worker with items has not reported lately
	Latency  Latency        `json:"latency"`
	Settings []config.Shown `json:"settings"` // of the worker that started last
}

// Worker is a worker that has called Redis lately, or holds a lease.
type Worker struct {
	Worker  string     `json:"worker"`
	Expires *time.Time `json:"expires,omitempty"` // when the first of its leases ends unless it is renewed
	Leased  int        `json:"leased"`            // items it holds that have no outcome yet
	dispatch.Status
}

// Latency is how long the latest attempts took.
type Latency struct {
	Attempts int     `json:"attempts"` // how many there are; the rest is 0 if there are none
	P50      float64 `json:"p50"`      // seconds
	P95      float64 `json:"p95"`
	Max      float64 `json:"max"`
}

func (s *Server) serveWorkers(w http.ResponseWriter, r *http.Request, run *run) {
	all, err := run.workers.get(r.Context(), "", workersInterval, func(ctx context.Context) (Workers, error) {
		all, err := ReadWorkers(ctx, run.queue)
		if s.Pods > 0 && run.queue.Name == s.Queue && len(all.Settings) > 0 {
			all.Settings = append(all.Settings, config.Shown{Name: "worker.parallelism", Value: strconv.Itoa(s.Pods)})
		}
		return all, err
	})
	if err != nil {
		unavailable(w, err)
		return
	}
	respond(w, all)
}

// ReadWorkers returns who works on a queue, those whose items have been running for the longest time first.
func ReadWorkers(ctx context.Context, q *queue.Queue) (Workers, error) {
	statuses, err := q.WorkerStatuses(ctx, workersRead)
	if err != nil {
		return Workers{}, err
	}
	leases, err := q.Running(ctx, leasesRead, 1)
	if err != nil {
		return Workers{}, err
	}
	settings, err := q.Settings(ctx)
	if err != nil {
		return Workers{}, err
	}
	workers := map[string]*Worker{}
	running, reported := 0, true
	var recent []float64
	for name, status := range statuses {
		w := &Worker{Worker: name}
		if json.Unmarshal([]byte(status), &w.Status) != nil { // of another version
			w.Status = dispatch.Status{Pod: podOf(name)}
			reported = false
		}
		recent = append(recent, w.Recent...)
		w.Recent = nil
		workers[name] = w
	}
	for _, lease := range leases {
		w := workers[lease.Worker]
		if w == nil { // it has not called for a while
			w = &Worker{Worker: lease.Worker, Status: dispatch.Status{Pod: podOf(lease.Worker), Started: lease.Since}}
			workers[lease.Worker] = w
			reported = false
		}
		w.add(lease)
	}
	if len(recent) == 0 {
		if recent, err = recordedLately(ctx, q); err != nil {
			return Workers{}, err
		}
	}
	all := Workers{Workers: []Worker{}, More: len(leases) == leasesRead || len(statuses) == workersRead, Latency: latency(recent), Settings: []config.Shown{}}
	_ = json.Unmarshal([]byte(settings), &all.Settings) // of another version, perhaps
	for _, w := range workers {
		all.Workers = append(all.Workers, *w)
		running += w.Running
	}
	if reported && !all.More {
		all.Running = &running
	}
	slices.SortFunc(all.Workers, func(a, b Worker) int {
		return cmp.Or(a.itemSince().Compare(b.itemSince()), strings.Compare(a.Worker, b.Worker)) // the one that may hang is first
	})
	return all, nil
}

// add takes in a lease. Without a status that names an item, the first item of the oldest lease stands for those that run.
func (w *Worker) add(lease queue.Lease) {
	w.Leased += lease.Open
	if w.Expires == nil || lease.Expires.Before(*w.Expires) {
		w.Expires = &lease.Expires
	}
	if len(lease.Items) > 0 && (w.Item == nil || lease.Since.Before(w.Item.Since) && w.Running == 0) {
		item := lease.Items[0]
		w.Item = &dispatch.RunningItem{ID: item.ID, Attempt: item.Attempts + 1, Since: lease.Since, Payload: record.NewPayload(item.Payload, itemShown)}
	}
}

// itemSince returns since when the worker's item runs, far in the future if it has none.
func (w *Worker) itemSince() time.Time {
	if w.Item == nil {
		return time.UnixMilli(math.MaxInt64)
	}
	return w.Item.Since.Truncate(time.Second)
}

// podOf returns the host part of a worker's name, which ends with a random part.
func podOf(worker string) string {
	if i := strings.LastIndexByte(worker, '.'); i > 0 {
		return worker[:i]
	}
	return worker
}

// recordedLately returns how long the attempts of the latest results and dead letters took, in seconds.
func recordedLately(ctx context.Context, q *queue.Queue) (seconds []float64, err error) {
	for _, kind := range []queue.Kind{queue.KindResults, queue.KindDead} {
		var window record.Window
		err := window.Scan(ctx, q.Records(kind), "", func(r queue.Record) bool {
			if window.Read == recordsLately {
				return false
			}
			if attempt := record.NewPart(r, itemShown); !attempt.Started.IsZero() { // else its worker died
				seconds = append(seconds, attempt.Seconds)
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return seconds, nil
}

func latency(seconds []float64) Latency {
	n := len(seconds)
	if n == 0 {
		return Latency{}
	}
	slices.Sort(seconds)
	at := func(share float64) float64 { return seconds[int(math.Ceil(share*float64(n)))-1] }
	return Latency{Attempts: n, P50: at(.5), P95: at(.95), Max: seconds[n-1]}
}
