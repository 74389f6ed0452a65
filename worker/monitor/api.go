package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
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

// Payload is an item's bytes in JSON: as text, or as base64 where they are not UTF-8.
type Payload struct {
	Text   string `json:"text,omitempty"`
	Base64 string `json:"base64,omitempty"`
	Whole  int    `json:"whole,omitempty"` // bytes of all of it, if this is but its beginning
}

// payload is an item as JSON can hold it, or the beginning of it that has so many bytes at most.
func payload(bytes string, atMost int) Payload {
	p := Payload{}
	if len(bytes) > atMost {
		p.Whole = len(bytes)
	}
	text, encoding := handler.Text(head(bytes, atMost))
	if encoding == "" {
		p.Text = text
	} else {
		p.Base64 = text
	}
	return p
}

// head is the beginning of a text. It does not cut a character in two.
func head(text string, atMost int) string {
	if len(text) <= atMost {
		return text
	}
	end := atMost
	for end > atMost-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
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
	Crashes  int     `json:"crashes"`  // workers that died on it
	Item     Payload `json:"item"`
}

// Dead is a dead letter.
type Dead struct {
	Key      string  `json:"key"` // names it in a retry
	ID       string  `json:"id"`
	Item     Payload `json:"item"`
	Attempts int     `json:"attempts"`
	Crashes  int     `json:"crashes"`
	dispatch.Letter
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
			running.Items = append(running.Items, Item{item.ID, item.Attempts, item.Crashes, payload(item.Payload, itemShown)})
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
	page := DeadPage{Dead: []Dead{}}
	err := s.Queue.LatestDead(r.Context(), query.Get("before"), func(record queue.Record) bool {
		if !matches(record, query.Get("match")) {
			return true
		}
		if len(page.Dead) == limit {
			page.Next = page.Dead[limit-1].Key
			return false
		}
		page.Dead = append(page.Dead, dead(record, partShown))
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
	var letter *Dead
	err := s.Queue.LatestDead(r.Context(), fmt.Sprintf("%s-%d", key[1], sequence+1), func(record queue.Record) bool {
		if record.Key == key[0] {
			d := dead(record, len(record.Payload)+len(record.Report))
			letter = &d
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

// dead is a dead letter, with so many bytes of each of its parts at most.
func dead(record queue.Record, atMost int) Dead {
	d := Dead{Key: record.Key, ID: record.ItemID, Item: payload(record.Payload, atMost), Attempts: record.Attempts,
		Crashes: record.Crashes, Letter: letter(record)}
	d.Reason = head(d.Reason, atMost)
	if d.Encoding == "" && len(d.Output) > atMost {
		d.Output, d.Truncated = head(d.Output, atMost), true
	}
	return d
}

// letter is what is known of a death. A report that cannot be read is shown as it is.
func letter(record queue.Record) dispatch.Letter {
	l, err := dispatch.LetterOf(record)
	if err != nil {
		return dispatch.Letter{Reason: record.Report}
	}
	return l
}

// matches says whether a dead letter's item, id, reason, output or place contains the text, in capitals or not.
func matches(record queue.Record, text string) bool {
	if text == "" {
		return true
	}
	l := letter(record)
	output, err := handler.Raw(l.Output, l.Encoding)
	if err != nil {
		output = l.Output
	}
	text = strings.ToLower(text)
	for _, part := range []string{record.Payload, record.ItemID, l.Reason, output, l.Host, l.Node} {
		if strings.Contains(strings.ToLower(part), text) {
			return true
		}
	}
	return false
}

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
