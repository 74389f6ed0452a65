package monitor

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/report"
)

// ActionRequest is the body of an action: the dead items to retry, by one of keys, match, failure and all.
type ActionRequest struct {
	Keys    []string `json:"keys"`    // these dead letters
	Match   string   `json:"match"`   // those that contain this text
	Failure string   `json:"failure"` // those of this group of failures
	All     bool     `json:"all"`
	Before  string   `json:"before"` // only those before this key: the next of the response before
}

// ActionResponse is what an action did.
type ActionResponse struct {
	Items int    `json:"items"`          // that went back into the queue
	Next  string `json:"next,omitempty"` // not all were looked at: repeat the request with this as before
}

var errRequest = errors.New(`body: name the dead items: {"keys": ["1700000000000-0"]}, {"match": "timeout"}, {"failure": "exit code 1"} or {"all": true}`)

type action func(ctx context.Context, q *queue.Queue, request ActionRequest) (ActionResponse, error)

// action carries out a request if actions are enabled, it comes from this page or from no page at all, and it has the token.
func (s *Server) action(do action) http.HandlerFunc {
	foreign := http.NewCrossOriginProtection()
	carryOut := s.forRun(func(w http.ResponseWriter, r *http.Request, run *run) {
		var request ActionRequest
		if r.ContentLength != 0 {
			decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&request); err != nil && !errors.Is(err, io.EOF) {
				http.Error(w, "body: "+err.Error(), http.StatusBadRequest)
				return
			}
		}
		response, err := do(r.Context(), run.queue, request)
		var conflict conflictError
		switch {
		case errors.Is(err, queue.ErrNoQueue):
			http.Error(w, "queue: there is no such run: it was never seeded, or its records have expired; /api/runs lists those that are there", http.StatusNotFound)
		case errors.As(err, &conflict):
			http.Error(w, err.Error(), http.StatusConflict)
		case errors.Is(err, errRequest):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case err != nil:
			unavailable(w, err)
		default:
			s.Log.Info("action done", "action", r.URL.Path, "queue", run.queue.Name, "from", r.RemoteAddr, "items", response.Items)
			respond(w, response)
		}
	})
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !s.Actions:
			http.Error(w, "this monitor is read-only: actions are not enabled", http.StatusForbidden)
		case foreign.Check(r) != nil:
			http.Error(w, "the request comes from another site", http.StatusForbidden)
		case s.authorize(w, r):
			carryOut(w, r)
		}
	}
}

// authorize checks the token. If it is wrong, authorize responds and returns false.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) bool {
	client := clientOf(r)
	if wait := s.limiter.take(client, time.Now()); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		http.Error(w, "too many wrong tokens: try again later", http.StatusTooManyRequests)
		return false
	}
	if s.knowsToken(r) {
		s.limiter.restore(client)
		return true
	}
	s.Log.Warn("action refused: the token is missing or wrong", "action", r.URL.Path, "from", r.RemoteAddr)
	w.Header().Set("WWW-Authenticate", `Bearer realm="workqueue"`)
	http.Error(w, "the token is missing or wrong: Authorization: Bearer TOKEN", http.StatusUnauthorized)
	return false
}

// knowsToken takes the same time whatever the token is, its length included.
func (s *Server) knowsToken(r *http.Request) bool {
	given, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && found && s.Token != ""
}

// retry puts dead items back into the queue. It looks at no more dead letters than one window holds.
func retry(ctx context.Context, q *queue.Queue, request ActionRequest) (response ActionResponse, err error) {
	keys := request.Keys
	valid := func(key string) bool { return recordKey.MatchString(key) }
	if slices.ContainsFunc(keys, func(key string) bool { return !valid(key) }) || request.Before != "" && !valid(request.Before) {
		return response, errRequest
	}
	wanted := filter{request.Match, request.Failure}
	if request.All || wanted != (filter{}) {
		var window record.Window
		err := window.Scan(ctx, q.Records(queue.KindDead), request.Before, func(r queue.Record) bool {
			if wanted.selects(r) {
				keys = append(keys, r.Key)
			}
			return true
		})
		if err != nil {
			return response, fmt.Errorf("reading the dead letters: %w", err)
		}
		response.Next = window.Next
	} else if len(keys) == 0 {
		return response, errRequest
	}
	response.Items, err = q.Retry(ctx, keys)
	return response, err
}

// conflictError refuses an action that the run's state does not allow.
type conflictError string

func (e conflictError) Error() string { return string(e) }

// there reports whether there is such a run, though it may not be seeded yet.
func there(c queue.Counts) bool { return c.Exists || c.Paused || c.SeedAttempts > 0 }

func pause(ctx context.Context, q *queue.Queue, _ ActionRequest) (ActionResponse, error) {
	counts, err := q.Counts(ctx)
	if err != nil {
		return ActionResponse{}, err
	}
	if !there(counts) {
		return ActionResponse{}, queue.ErrNoQueue
	}
	if now := report.Conclude(counts, queue.Portion{}); !now.State.Kind().Pausable && now.State != report.StatePaused {
		return ActionResponse{}, conflictError(fmt.Sprintf("queue: its state is %s, so there is nothing to pause: %s", now.State, now.Text))
	}
	return ActionResponse{}, q.Pause(ctx)
}

func resume(ctx context.Context, q *queue.Queue, _ ActionRequest) (ActionResponse, error) {
	counts, err := q.Counts(ctx)
	if err == nil && !there(counts) {
		err = queue.ErrNoQueue
	}
	if err != nil {
		return ActionResponse{}, err
	}
	return ActionResponse{}, q.Resume(ctx)
}
