package monitor

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/work"
)

const (
	leasesShown  = 200
	itemsShown   = 10 // of a lease
	lettersShown = 50 // on one page
)

// streamKey is what an entry of a Redis stream is called.
var streamKey = regexp.MustCompile(`^\d{1,20}-\d{1,20}$`)

// Snapshot is the run at one instant.
type Snapshot struct {
	State    string     `json:"state"` // unseeded, open, running, paused, stopped, done or failed
	Total    int        `json:"total"`
	Ready    int        `json:"ready"`
	Leased   int        `json:"leased"`
	Delayed  int        `json:"delayed"`
	Suspects int        `json:"suspects"`
	Dead     int        `json:"dead"`
	Done     int        `json:"done"`
	Retried  int        `json:"retried"`
	Expired  int        `json:"expired"`
	Sealed   bool       `json:"sealed"`
	Rate     float64    `json:"rate"`              // items a second, lately
	Seconds  float64    `json:"seconds"`           // since the first lease, until the end
	Left     *float64   `json:"left"`              // seconds at this rate, null if nobody can tell
	Now      time.Time  `json:"now"`               // Redis's clock
	Started  *time.Time `json:"started,omitempty"` // first lease
	Finished *time.Time `json:"finished,omitempty"`
}

// Percent is how much of the run is over.
func (s Snapshot) Percent() float64 {
	if s.Total == 0 {
		return 0
	}
	return 100 * float64(s.Done+s.Dead) / float64(s.Total)
}

func (s *Server) snapshot(c queue.Counts) Snapshot {
	shot := Snapshot{
		State: s.state(c), Total: c.Total(), Ready: c.Ready, Leased: c.Leased, Delayed: c.Delayed, Suspects: c.Suspects,
		Dead: c.Dead, Done: c.Done, Retried: c.Retried, Expired: c.Expired, Sealed: c.Sealed, Now: c.Now,
	}
	if !c.Drained() {
		shot.Rate = s.sampler.rate()
	}
	end := c.Now
	if !c.Finished.IsZero() {
		end, shot.Finished = c.Finished, &c.Finished
	}
	if !c.Started.IsZero() {
		shot.Started = &c.Started
		shot.Seconds = end.Sub(c.Started).Seconds()
	}
	if shot.Rate > 0 {
		left := float64(c.Open()) / shot.Rate
		shot.Left = &left
	}
	return shot
}

func (s *Server) state(c queue.Counts) string {
	switch {
	case !c.Exists:
		return "unseeded"
	case c.Stopped:
		return "stopped"
	case c.Drained() && c.Dead > s.MaxDead:
		return "failed"
	case c.Drained():
		return "done"
	case c.Paused:
		return "paused"
	case c.Open() == 0:
		return "open"
	}
	return "running"
}

// Payload is an item's bytes in JSON: as text, or as base64 where they are not UTF-8.
type Payload struct {
	Text   string `json:"text,omitempty"`
	Base64 string `json:"base64,omitempty"`
}

func payload(bytes string) Payload {
	if utf8.ValidString(bytes) {
		return Payload{Text: bytes}
	}
	return Payload{Base64: base64.StdEncoding.EncodeToString([]byte(bytes))}
}

// Running is a batch that is with a worker.
type Running struct {
	Worker  string    `json:"worker"`
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires"` // if nothing is heard of the worker before
	Open    int       `json:"open"`    // items without an outcome
	Items   []Item    `json:"items"`   // the first of them
}

// Item is an item that is with a worker.
type Item struct {
	ID       string  `json:"id"`
	Attempts int     `json:"attempts"` // failed ones so far
	Crashes  int     `json:"crashes"`
	Item     Payload `json:"item"`
}

// Dead is a dead letter.
type Dead struct {
	Key      string  `json:"key"` // names it in a retry
	ID       string  `json:"id"`
	Item     Payload `json:"item"`
	Attempts int     `json:"attempts"`
	Crashes  int     `json:"crashes"`
	work.Letter
}

// DeadPage is a page of dead letters, the latest first.
type DeadPage struct {
	Dead []Dead `json:"dead"`
	Next string `json:"next,omitempty"` // the parameter before of the next page
}

func (s *Server) serveCounts(w http.ResponseWriter, r *http.Request) {
	counts, err := s.Queue.Counts(r.Context())
	if err != nil {
		unavailable(w, err)
		return
	}
	reply(w, s.snapshot(counts))
}

func (s *Server) serveSamples(w http.ResponseWriter, _ *http.Request) { reply(w, s.sampler.history()) }

func (s *Server) serveRunning(w http.ResponseWriter, r *http.Request) {
	leases, err := s.Queue.Running(r.Context(), leasesShown)
	if err != nil {
		unavailable(w, err)
		return
	}
	all := []Running{}
	for _, lease := range leases {
		running := Running{Worker: lease.Worker, Since: lease.Since, Expires: lease.Expires, Open: len(lease.Items), Items: []Item{}}
		for _, item := range lease.Items[:min(itemsShown, len(lease.Items))] {
			running.Items = append(running.Items, Item{item.ID, item.Attempts, item.Crashes, payload(item.Payload)})
		}
		all = append(all, running)
	}
	reply(w, all)
}

func (s *Server) serveDead(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit := lettersShown
	if text := query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 1000 {
			http.Error(w, "limit is a number from 1 to 1000", http.StatusBadRequest)
			return
		}
	}
	if before := query.Get("before"); before != "" && !streamKey.MatchString(before) {
		http.Error(w, "before is the key of a dead letter, such as 1700000000000-0", http.StatusBadRequest)
		return
	}
	page := DeadPage{Dead: []Dead{}}
	err := s.Queue.LatestDead(r.Context(), query.Get("before"), func(record queue.Record) bool {
		if !matches(record, query.Get("match")) {
			return true
		}
		if len(page.Dead) == limit {
			page.Next = page.Dead[limit-1].Key
			return false
		}
		page.Dead = append(page.Dead, dead(record))
		return true
	})
	if err != nil {
		unavailable(w, err)
		return
	}
	reply(w, page)
}

func dead(record queue.Record) Dead {
	d := Dead{Key: record.Key, ID: record.ItemID, Item: payload(record.Payload), Attempts: record.Attempts, Crashes: record.Crashes}
	if err := json.Unmarshal([]byte(record.Report), &d.Letter); err != nil {
		d.Reason = record.Report
	}
	if record.Report == "" {
		d.Reason = fmt.Sprintf("its worker died %d times while it ran alone there", record.Crashes)
	}
	return d
}

// matches says whether a dead letter's item, reason or output contains the text.
func matches(record queue.Record, text string) bool {
	return text == "" || strings.Contains(record.Payload, text) || strings.Contains(record.Report, text)
}

// serveEvents sends a snapshot each second, as server-sent events.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		counts, err := s.sampler.wait(r.Context())
		if r.Context().Err() != nil {
			return
		}
		if err != nil {
			_, err = fmt.Fprintf(w, "event: away\ndata: %q\n\n", "Redis cannot be read")
		} else {
			var text []byte
			if text, err = json.Marshal(s.snapshot(counts)); err == nil {
				_, err = fmt.Fprintf(w, "data: %s\n\n", text)
			}
		}
		if err != nil || control.Flush() != nil {
			return
		}
	}
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	_ = encoder.Encode(value) // nobody is left to be told
}
