package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

const (
	leasesShown  = 200
	itemsShown   = 3       // of a lease
	itemShown    = 200     // bytes of an item of a lease
	lettersShown = 50      // on one page
	partShown    = 4 << 10 // bytes of each part of a dead letter in a list
	maxListeners = 200
	listenTime   = 10 * time.Second // in which a page must have taken what it was sent
)

// streamKey is what an entry of a Redis stream is called.
var streamKey = regexp.MustCompile(`^(\d{1,15})-(\d{1,10})$`)

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
	ID       string `json:"id"`
	Attempts int    `json:"attempts"` // failed ones so far
	Crashes  int    `json:"crashes"`  // workers that died on it
	record.Payload
}

// DeadPage is a page of dead letters, the latest first.
type DeadPage struct {
	Dead []record.Record `json:"dead"`
	Next string          `json:"next,omitempty"` // the parameter before of the next page
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
	all, err := s.running.get(r.Context(), s.readRunning)
	if err != nil {
		unavailable(w, err)
		return
	}
	reply(w, all)
}

func (s *Server) readRunning(ctx context.Context) ([]Running, error) {
	leases, err := s.Queue.Running(ctx, leasesShown, itemsShown)
	if err != nil {
		return nil, err
	}
	all := []Running{}
	for _, lease := range leases {
		running := Running{Worker: lease.Worker, Since: lease.Since, Expires: lease.Expires, Open: lease.Open, Items: []Item{}}
		for _, item := range lease.Items {
			running.Items = append(running.Items, Item{item.ID, item.Attempts, item.Crashes, record.NewPayload(item.Payload, itemShown)})
		}
		all = append(all, running)
	}
	return all, nil
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
	match := query.Get("match")
	page := DeadPage{Dead: []record.Record{}}
	err := s.Queue.LatestDead(r.Context(), query.Get("before"), func(r queue.Record) bool {
		if !matches(r, match) {
			return true
		}
		if len(page.Dead) == limit {
			page.Next = page.Dead[limit-1].Key
			return false
		}
		page.Dead = append(page.Dead, record.NewPart(r, partShown))
		return true
	})
	if err != nil {
		unavailable(w, err)
		return
	}
	reply(w, page)
}

// serveLetter answers one dead letter with all there is.
func (s *Server) serveLetter(w http.ResponseWriter, r *http.Request) {
	key := streamKey.FindStringSubmatch(r.PathValue("key"))
	if key == nil {
		http.Error(w, "a dead letter has a key such as 1700000000000-0", http.StatusBadRequest)
		return
	}
	sequence, _ := strconv.Atoi(key[2])
	var letter *record.Record
	err := s.Queue.LatestDead(r.Context(), fmt.Sprintf("%s-%d", key[1], sequence+1), func(r queue.Record) bool {
		if r.Key == key[0] {
			whole := record.New(r)
			letter = &whole
		}
		return false
	})
	switch {
	case err != nil:
		unavailable(w, err)
	case letter == nil:
		http.Error(w, "there is no such dead letter: it was put back, or its time is over", http.StatusNotFound)
	default:
		reply(w, letter)
	}
}

// matches reports whether a dead letter contains the text.
func matches(r queue.Record, text string) bool { return text == "" || record.New(r).Contains(text) }

// eventsHandler sends a snapshot each second, as server-sent events, to so many pages at most.
func (s *Server) eventsHandler() http.HandlerFunc {
	places := make(chan struct{}, maxListeners)
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
			return
		}
		control := http.NewResponseController(w)
		w.Header().Set("Content-Type", "text/event-stream")
		_ = control.Flush() // the page knows at once that it is heard
		for {
			counts, err := s.sampler.wait(r.Context())
			if r.Context().Err() != nil || errors.Is(err, context.Canceled) {
				return
			}
			_ = control.SetWriteDeadline(time.Now().Add(listenTime))
			if err != nil {
				_, err = fmt.Fprint(w, "event: away\ndata:\n\n")
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
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	_ = encoder.Encode(value) // nobody is left to be told
}
