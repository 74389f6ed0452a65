package monitor

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

const (
	recordsShown = 50      // in one response
	mostRecords  = 1000    // that a request may ask for
	partShown    = 4 << 10 // bytes of each part of a record in a list
)

// recordKey is the key of an entry of a Redis stream.
var recordKey = regexp.MustCompile(`^\d{1,15}-\d{1,10}$`)

// Record is a dead letter or a result.
type Record struct {
	record.Record
	Failure string `json:"failure,omitempty"` // of a dead letter: the group that /api/failures counts it in
}

// RecordPage is a part of the dead letters or of the results, the latest first.
type RecordPage struct {
	Records []Record `json:"records"`
	Read    int      `json:"read"`           // how many records were looked at
	Next    string   `json:"next,omitempty"` // the parameter before of the next request; empty at the end
}

// filter selects records. Its zero value selects all.
type filter struct {
	match   string // text in any case, in item, id, reason, output, host or node
	failure string // group of failures
}

func (f filter) selects(r queue.Record) bool {
	return (f.match == "" || record.New(r).Contains(f.match)) && (f.failure == "" || record.New(r).Kind() == f.failure)
}

func filterOf(r *http.Request) filter {
	query := r.URL.Query()
	return filter{query.Get("match"), query.Get("failure")}
}

// beforeOf returns the parameter before of a request, or responds that it is wrong.
func beforeOf(w http.ResponseWriter, r *http.Request) (before string, ok bool) {
	before = r.URL.Query().Get("before")
	if before != "" && !recordKey.MatchString(before) {
		http.Error(w, "before: it must be the key of a record, such as 1700000000000-0", http.StatusBadRequest)
		return "", false
	}
	return before, true
}

func (s *Server) serveRecords(kind queue.Kind) func(http.ResponseWriter, *http.Request, *run) {
	return func(w http.ResponseWriter, r *http.Request, run *run) {
		limit := recordsShown
		if text := r.URL.Query().Get("limit"); text != "" {
			var err error
			if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > mostRecords {
				http.Error(w, fmt.Sprintf("limit: it must be a number from 1 to %d", mostRecords), http.StatusBadRequest)
				return
			}
		}
		before, ok := beforeOf(w, r)
		if !ok {
			return
		}
		page, window, wanted := RecordPage{Records: []Record{}}, record.Window{}, filterOf(r)
		err := window.Scan(r.Context(), run.queue.Records(kind), before, func(kept queue.Record) bool {
			if !wanted.selects(kept) {
				return true
			}
			if len(page.Records) == limit {
				return false
			}
			page.Records = append(page.Records, newRecord(kind, kept, partShown))
			return true
		})
		if err != nil {
			unavailable(w, err)
			return
		}
		page.Read, page.Next = window.Read, window.Next
		respond(w, page)
	}
}

// serveRecord responds with one record, uncut.
func (s *Server) serveRecord(kind queue.Kind) func(http.ResponseWriter, *http.Request, *run) {
	return func(w http.ResponseWriter, r *http.Request, run *run) {
		key := r.PathValue("key")
		if !recordKey.MatchString(key) {
			http.Error(w, "key: it must be like 1700000000000-0", http.StatusBadRequest)
			return
		}
		found, err := run.queue.Records(kind).Get(r.Context(), []string{key})
		switch {
		case err != nil:
			unavailable(w, err)
		case len(found) == 0:
			http.Error(w, "there is no such record: it was retried, or it has expired", http.StatusNotFound)
		default:
			respond(w, newRecord(kind, found[0], math.MaxInt))
		}
	}
}

// newRecord returns a record with at most limit bytes of each of its parts.
func newRecord(kind queue.Kind, kept queue.Record, limit int) Record {
	r := Record{Record: record.NewPart(kept, limit)}
	if kind == queue.KindDead {
		r.Failure = record.New(kept).Kind()
	}
	return r
}
