package monitor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	maxListeners  = 200
	listenTimeout = 10 * time.Second // within which a page must have taken what it was sent
)

func (s *Server) serveCounts(w http.ResponseWriter, r *http.Request, run *run) {
	counts, err := run.queue.Counts(r.Context())
	if err != nil {
		unavailable(w, err)
		return
	}
	respond(w, s.snapshot(run, counts))
}

func (s *Server) serveSamples(w http.ResponseWriter, _ *http.Request, run *run) {
	respond(w, run.sampler.history())
}

// eventsHandler sends a snapshot each second, as server-sent events, to at most maxListeners pages.
func (s *Server) eventsHandler() http.HandlerFunc {
	listeners := make(chan struct{}, maxListeners)
	return s.forRun(func(w http.ResponseWriter, r *http.Request, run *run) {
		select {
		case listeners <- struct{}{}:
			defer func() { <-listeners }()
		default:
			http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
			return
		}
		defer run.watch(s.Log)()
		control := http.NewResponseController(w)
		w.Header().Set("Content-Type", "text/event-stream")
		_ = control.Flush() // the page learns at once that it is connected
		for {
			counts, err := run.sampler.wait(r.Context())
			if r.Context().Err() != nil {
				return
			}
			if err == nil && !counts.Exists && r.URL.Query().Get("queue") == "" && s.opening(r.Context()) != run {
				return // another run has begun, which the page gets when it connects again
			}
			_ = control.SetWriteDeadline(time.Now().Add(listenTimeout))
			if err != nil {
				_, err = fmt.Fprint(w, "event: unreachable\ndata:\n\n")
			} else {
				var text []byte
				if text, err = json.Marshal(s.snapshot(run, counts)); err == nil {
					_, err = fmt.Fprintf(w, "data: %s\n\n", text)
				}
			}
			if err != nil || control.Flush() != nil {
				return
			}
		}
	})
}

func respond(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client may be gone
}
