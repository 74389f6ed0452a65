package monitor

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// wish is the body of a request that wants something done.
type wish struct {
	Keys  []string `json:"keys"`  // retry: these dead letters
	Match string   `json:"match"` // retry: those that contain this text
	All   bool     `json:"all"`   // retry: all of them
}

var errWish = errors.New(`say which: {"keys": ["1700000000000-0"]}, {"match": "timeout"} or {"all": true}`)

// action lets a request do something if actions are on, it comes from this page or from no page at all, and it knows the
// token.
func (s *Server) action(do func(context.Context, wish) (int, error)) http.HandlerFunc {
	foreign := http.NewCrossOriginProtection()
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !s.Actions:
			http.Error(w, "this monitor only shows: actions are switched off", http.StatusForbidden)
			return
		case foreign.Check(r) != nil:
			http.Error(w, "not from another site", http.StatusForbidden)
			return
		case !s.knowsToken(r):
			s.Log.Warn("an action was refused: the token is missing or wrong", "action", r.URL.Path, "from", r.RemoteAddr)
			w.Header().Set("WWW-Authenticate", `Bearer realm="workqueue"`)
			http.Error(w, "the token is missing or wrong: Authorization: Bearer TOKEN", http.StatusUnauthorized)
			return
		}
		var wanted wish
		if r.ContentLength != 0 {
			decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&wanted); err != nil && !errors.Is(err, io.EOF) {
				http.Error(w, "the body is not JSON as it should be: "+err.Error(), http.StatusBadRequest)
				return
			}
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a million letters take longer than an answer
		count, err := do(r.Context(), wanted)
		switch {
		case errors.Is(err, errWish):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case err != nil:
			unavailable(w, err)
		default:
			s.Log.Info("done at a person's wish", "action", r.URL.Path, "from", r.RemoteAddr, "items", count)
			reply(w, map[string]int{"items": count})
		}
	}
}

// knowsToken compares in a time that tells nothing of the token, its length included.
func (s *Server) knowsToken(r *http.Request) bool {
	given, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && found && s.Token != ""
}

func (s *Server) retry(ctx context.Context, wanted wish) (int, error) {
	if !wanted.All && wanted.Match == "" {
		if len(wanted.Keys) == 0 || slices.ContainsFunc(wanted.Keys, func(key string) bool { return !streamKey.MatchString(key) }) {
			return 0, errWish
		}
		return s.Queue.Retry(ctx, wanted.Keys)
	}
	var keys []string
	err := s.Queue.DeadLetters(ctx, func(r queue.Record) bool {
		if matches(r, wanted.Match) {
			keys = append(keys, r.Key)
		}
		return true
	})
	if err != nil {
		return 0, fmt.Errorf("reading the dead letters: %w", err)
	}
	return s.Queue.Retry(ctx, keys)
}

func (s *Server) pause(ctx context.Context, _ wish) (int, error)  { return 0, s.Queue.Pause(ctx) }
func (s *Server) resume(ctx context.Context, _ wish) (int, error) { return 0, s.Queue.Resume(ctx) }
