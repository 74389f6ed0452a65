package redisclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
)

// ErrUnreachable is returned when Redis could not be used for longer than allowed.
var ErrUnreachable = errors.New("redis is out of reach")

// RefusedError is a reply of Redis that would be the same if the call were made again.
type RefusedError struct {
	text string
	err  error
}

func (e *RefusedError) Error() string { return e.text }
func (e *RefusedError) Unwrap() error { return e.err }

// Retry calls try until it succeeds, Redis refuses for good, ctx is done, or Redis could not be used for the given time. It logs
// once when Redis goes away, and once when it is back. Use it for the client that Connect has returned: a password or permission
// that is refused now, though it was accepted then, may be about to change.
func Retry(ctx context.Context, timeout time.Duration, log *slog.Logger, try func(context.Context) error) error {
	return retry(ctx, timeout, log, try, func(err error) bool { return passing(err) || isDenied(err) })
}

func retry(ctx context.Context, timeout time.Duration, log *slog.Logger, try func(context.Context) error, passing func(error) bool) error {
	var since time.Time
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
			return refused(err)
		}
		now := time.Now()
		if since.IsZero() {
			since = now
			log.Warn("redis cannot be used, trying again", "for", timeout, "error", err)
		}
		if now.Sub(since) >= timeout {
			return fmt.Errorf("%w for more than %v: %w", ErrUnreachable, timeout, refused(err))
		}
		// Whoever waits for Redis to start should not wait much longer than that, so that not even a lease of a second runs out; a long
		// outage needs few tries.
		pause := min(max(50*time.Millisecond, now.Sub(since)/8), 2*time.Second)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// passingReplies are what Redis replies while it starts, fails over, moves a slot, or is out of memory or disk.
var passingReplies = []string{"LOADING ", "READONLY ", "MASTERDOWN ", "CLUSTERDOWN ", "TRYAGAIN ", "MOVED ", "ASK ",
	"BUSY ", "UNKILLABLE ", "OOM ", "MISCONF ", "NOREPLICAS ", "UNBLOCKED ", "ERR max number of clients"}

// isDenied reports whether Redis does not take the password, or does not permit the call.
func isDenied(err error) bool {
	var already *RefusedError
	return !errors.As(err, &already) && !fromSentinels(err) && (redis.IsAuthError(err) || redis.IsPermissionError(err))
}

// passing reports whether an error may go away by itself: no connection, or a server that starts, fails over or is full.
func passing(err error) bool {
	var reply redis.Error
	var already *RefusedError
	if errors.As(err, &already) {
		return false
	}
	if errors.As(err, &reply) {
		if fromSentinels(err) {
			return isConnection(err) // of one of them at least
		}
		text := reply.Error()
		for _, p := range passingReplies {
			// Redis 6.2 wraps the error of a call that a script makes.
			if strings.HasPrefix(text, p) || strings.Contains(text, ": -"+p) {
				return true
			}
		}
		return false
	}
	if misTLS(err) != "" {
		return false
	}
	return isConnection(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, queue.ErrIncomplete) ||
		strings.HasPrefix(err.Error(), "redis: ") // of go-redis itself: no connection free, no node of a Cluster found
}

// refused turns a reply of Redis into a RefusedError with the way out. Other errors stay what they are.
func refused(err error) error {
	if hint := misTLS(err); hint != "" {
		return &RefusedError{fmt.Sprintf("no TLS connection with redis: %v (%s)", err, hint), err}
	}
	var reply redis.Error
	var already *RefusedError
	if !errors.As(err, &reply) || errors.As(err, &already) {
		return err
	}
	hints := replyHints
	if fromSentinels(err) {
		hints = sentinelHints
	}
	text := "redis refuses: " + strings.ReplaceAll(err.Error(), "\n", ", ")
	for _, h := range hints {
		if strings.Contains(text, h.contains) {
			text += " (" + h.hint + ")"
			break
		}
	}
	return &RefusedError{text, err}
}

// hint is the way out of an error.
type hint struct{ contains, hint string }

var replyHints = []hint{
	{"NOAUTH", "it wants a password: set WQ_REDIS_PASSWORD"},
	{"WRONGPASS", "the user name or password is wrong: check WQ_REDIS_USERNAME and WQ_REDIS_PASSWORD"},
	{"AUTH ", "it does not take the password: check WQ_REDIS_USERNAME and WQ_REDIS_PASSWORD"},
	{"NOPERM", permissions},
	{"ACL failure", permissions},
	{"WRONGTYPE", "a key with the queue's name holds something else than a list: choose another WQ_QUEUE"},
	{"cluster support disabled", "WQ_REDIS_CLUSTER is true, but this server is no node of a Cluster"},
	{"unknown command", "the server is too old or forbids a command: Redis 6.2 or newer is needed, with scripts allowed"},
}

const permissions = "the ACL user must be allowed the commands that the scripts call, on the keys <queue> and {<queue>}:*; " +
	"+@all -@admin -@dangerous +info +client|setname is enough"

var sentinelHints = []hint{
	{"redis: nil", "no Sentinel knows a master of that name: check WQ_REDIS_SENTINEL_MASTER"},
	{"unknown command", "WQ_REDIS_ADDRS must name Sentinels: these are other servers"},
	{"NOAUTH", "the Sentinels want a password: set WQ_REDIS_SENTINEL_PASSWORD"},
	{"WRONGPASS", "check WQ_REDIS_SENTINEL_USERNAME and WQ_REDIS_SENTINEL_PASSWORD"},
	{"AUTH ", "check WQ_REDIS_SENTINEL_USERNAME and WQ_REDIS_SENTINEL_PASSWORD"},
}

func fromSentinels(err error) bool { return strings.HasPrefix(err.Error(), "redis: all sentinels") }

// misTLS returns the way out if the two sides cannot agree on TLS, and "" if it is something else.
func misTLS(err error) string {
	var plain tls.RecordHeaderError
	var unverified *tls.CertificateVerificationError
	var alert tls.AlertError
	switch {
	case errors.As(err, &plain):
		return "the server does not speak TLS: set WQ_REDIS_TLS=false, or begin WQ_REDIS_URL with redis://"
	case errors.As(err, &unverified):
		return "check WQ_REDIS_TLS_CA and WQ_REDIS_TLS_SERVER_NAME"
	case errors.As(err, &alert), strings.Contains(err.Error(), "remote error: tls: "):
		return "does the server want a certificate? Check WQ_REDIS_TLS_CERT and WQ_REDIS_TLS_KEY"
	}
	return ""
}
