// Package redisconn connects to Redis and rides out its absences.
package redisconn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
)

// Open makes a client from the settings. It does not connect yet.
func Open(c config.Common) redis.UniversalClient {
	options := *c.RedisURL.Options
	if c.RedisUsername != "" {
		options.Username = c.RedisUsername
	}
	if c.RedisPassword != "" {
		options.Password = c.RedisPassword
	}
	options.ClientName = "workqueue"
	options.ReadTimeout = 10 * time.Second
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1 // Patiently decides what is tried again
	return redis.NewClient(&options)
}

// ErrUnreachable says that Redis did not answer for longer than allowed.
var ErrUnreachable = errors.New("redis is out of reach")

// RefusedError says that Redis answered, and that trying again would not change its answer.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return "redis refuses: " + advice(e.Err) }
func (e *RefusedError) Unwrap() error { return e.Err }

// Patiently calls try until it succeeds, Redis refuses for good, ctx is done, or Redis was out of reach for the given
// time. It says so once when Redis goes away, and once when it is back.
func Patiently(ctx context.Context, patience time.Duration, log *slog.Logger, try func(context.Context) error) error {
	var since time.Time
	pause := 50 * time.Millisecond
	for {
		err := try(ctx)
		if err == nil {
			if !since.IsZero() {
				log.Info("redis is back", "after", time.Since(since).Round(time.Millisecond))
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !passing(err) {
			var known redis.Error
			if errors.As(err, &known) {
				return &RefusedError{err}
			}
			return err
		}
		now := time.Now()
		if since.IsZero() {
			since = now
			log.Warn("redis does not answer as it should, trying again", "for", patience, "error", err)
		}
		if now.Sub(since) >= patience {
			return fmt.Errorf("%w for more than %v: %w", ErrUnreachable, patience, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// passing tells errors that may go away by themselves: no connection, or a server that is starting, failing over, or
// out of memory.
func passing(err error) bool {
	if errors.Is(err, queue.ErrVanished) {
		return false
	}
	var network net.Error
	var known redis.Error
	switch {
	case errors.As(err, &known):
		for _, prefix := range []string{"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY ", "OOM ",
			"NOREPLICAS", "UNKILLABLE", "MOVED", "ASK", "MISCONF", "ERR max number of clients"} {
			if strings.HasPrefix(known.Error(), prefix) {
				return true
			}
		}
		return strings.Contains(known.Error(), "-OOM ") || strings.Contains(known.Error(), "OOM command not allowed")
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		return true
	}
	return !strings.HasPrefix(err.Error(), "reply of ")
}

// advice adds the way out to what Redis said.
func advice(err error) string {
	text := err.Error()
	for _, known := range []struct{ contains, hint string }{
		{"NOAUTH", "it wants a password: set WQ_REDIS_PASSWORD"},
		{"WRONGPASS", "the user name or password is wrong: check WQ_REDIS_USERNAME and WQ_REDIS_PASSWORD"},
		{"AUTH ", "it does not take the password: check WQ_REDIS_USERNAME and WQ_REDIS_PASSWORD"},
		{"NOPERM", "the ACL user must be allowed the commands that the scripts call, on the keys <queue> and {<queue>}:*"},
		{"WRONGTYPE", "a key with the queue's name holds something else than a list: choose another WQ_QUEUE"},
		{"unknown command", "the server is too old or forbids a command: Redis 6.2 or newer is needed, with scripts allowed"},
	} {
		if strings.Contains(text, known.contains) {
			return text + " (" + known.hint + ")"
		}
	}
	return text
}
