package redisclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
)

// ErrUnreachable is returned when Redis could not be used for longer than allowed: it did not reply, or it refused every call.
var ErrUnreachable = errors.New("redis is out of reach")

// RefusedError is returned by Connect if a setting is wrong or the server is unfit, so that no later try would succeed.
type RefusedError struct {
	text string
	err  error
}

func (e *RefusedError) Error() string { return e.text }
func (e *RefusedError) Unwrap() error { return e.err }

// explainedError is an error together with the way out.
type explainedError struct {
	text string
	err  error
}

func (e *explainedError) Error() string { return e.text }
func (e *explainedError) Unwrap() error { return e.err }

// Retry calls try until it succeeds, it fails for a reason that does not pass, ctx is done, or Redis could not be used for the
// timeout. The timeout counts from the beginning of an outage: a call within try that failed and then succeeded has ended one. Retry
// logs the beginning of each outage, and the end of the last one.
//
// Use it for the client that Connect has returned. The settings were right then, so a password, a certificate or a permission that
// is refused now counts as transient.
func Retry(ctx context.Context, timeout time.Duration, log *slog.Logger, try func(context.Context) error) error {
	return retry(ctx, timeout, log, try, func(err error) bool {
		return transient(err) || isDenied(err) || tlsHint(err) != ""
	})
}

func retry(ctx context.Context, timeout time.Duration, log *slog.Logger, try func(context.Context) error, transient func(error) bool) error {
	var out outage
	watched := context.WithValue(ctx, outageKey{}, &out)
	var logged time.Time // the beginning of the outage that was logged last
	for {
		err := try(watched)
		if err == nil {
			if !logged.IsZero() {
				log.Info("redis is back", "after", out.lasted().Round(time.Millisecond))
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !transient(err) {
			return explain(err)
		}
		now := time.Now()
		since := out.began(now)
		if since != logged {
			logged = since
			log.Warn("redis cannot be used, trying again", "error", explain(err), "gives_up_after", timeout)
		}
		if now.Sub(since) >= timeout {
			return fmt.Errorf("%w for more than %v: %w", ErrUnreachable, timeout, explain(err))
		}
		// A worker that waits for Redis to start should not wait much longer than that, so that not even a lease of a second runs out; a
		// long outage needs few tries.
		pause := min(max(50*time.Millisecond, now.Sub(since)/8), 2*time.Second)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// transientReplies are what Redis replies while it starts, fails over, moves a slot, or is out of memory or disk.
var transientReplies = []string{"LOADING ", "READONLY ", "MASTERDOWN ", "CLUSTERDOWN ", "TRYAGAIN ", "MOVED ", "ASK ",
	"BUSY ", "UNKILLABLE ", "OOM ", "MISCONF ", "NOREPLICAS ", "UNBLOCKED ", "ERR max number of clients"}

// isDenied reports whether Redis does not take the password, does not permit the call, or whether the Sentinels name no master.
func isDenied(err error) bool {
	var already *RefusedError
	var reply redis.Error
	return !errors.As(err, &already) && (redis.IsAuthError(err) || redis.IsPermissionError(err) || fromSentinels(err) ||
		errors.As(err, &reply) && strings.HasPrefix(reply.Error(), "DENIED "))
}

// transient reports whether an error may go away by itself: no connection, or a server that starts, fails over or is full.
func transient(err error) bool {
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
		for _, p := range transientReplies {
			// Redis 6.2 wraps the error of a call that a script makes.
			if strings.HasPrefix(text, p) || strings.Contains(text, ": -"+p) {
				return true
			}
		}
		return false
	}
	if tlsHint(err) != "" {
		var rotating *certificateFileError
		return isExpired(err) || errors.As(err, &rotating)
	}
	return isConnection(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, queue.ErrIncomplete) ||
		errors.Is(err, queue.ErrBatchGone) ||
		strings.HasPrefix(err.Error(), "redis: ") // of go-redis itself: no connection free, no node of a Cluster found
}

// explain adds the way out to an error of Redis or of the connection. Other errors stay what they are.
func explain(err error) error {
	var already *RefusedError
	var explained *explainedError
	if errors.As(err, &already) || errors.As(err, &explained) {
		return err
	}
	if hint := tlsHint(err); hint != "" {
		return &explainedError{fmt.Sprintf("no TLS connection with redis: %v (%s)", err, hint), err}
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		if isConnection(err) && !hasOwnHint(err) {
			return &explainedError{fmt.Sprintf("%v (check WQ_REDIS_URL, and that Redis runs)", err), err}
		}
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
	return &explainedError{text, err}
}

// hint is the way out of an error.
type hint struct{ contains, hint string }

var replyHints = []hint{
	{"NOAUTH", "it wants a password: set WQ_REDIS_PASSWORD"},
	{"WRONGPASS", "the user name or password is wrong: check WQ_REDIS_USERNAME and WQ_REDIS_PASSWORD"},
	{"AUTH ", "it does not take the password: check WQ_REDIS_USERNAME and WQ_REDIS_PASSWORD"},
	{"DENIED ", "it is in protected mode and takes no calls from other machines: give it a password"},
	{"NOPERM", permissions},
	{"ACL failure", permissions},
	{"WRONGTYPE", "a key with the queue's name holds something else than a list: choose another WQ_QUEUE"},
	{"cluster support disabled", "WQ_REDIS_CLUSTER is true, but this server is no node of a Cluster"},
	{"unknown command", "the server is too old or forbids a command: Redis 6.2 or newer is needed, with scripts allowed"},
	{"max number of clients", clientsHint},
	{"Protocol error: invalid bulk length", "a single item or result is larger than Redis accepts: raise its setting proto-max-bulk-len"},
	{"Protocol error: too big bulk count", "a call has more parts than Redis accepts"},
	{"READONLY", "it is a replica: wait for the failover, or check that WQ_REDIS_URL is the master's address"},
	{"LOADING", "it is still reading its data"},
	{"MASTERDOWN", "it is a replica without a master"},
	{"CLUSTERDOWN", "no node has the queue's slot: see cluster info"},
	{"MISCONF", "it cannot write to its disk: see its log"},
	{"OOM ", "it is full: raise its maxmemory"},
	{"NOREPLICAS", "it has too few replicas: see its setting min-replicas-to-write"},
	{"BUSY ", "a script runs for too long: see its SLOWLOG"},
}

const (
	permissions = "the ACL user must be allowed the commands that the scripts call, on the keys <queue> and {<queue>}:*; " +
		"+@all -@admin -@dangerous +info is enough"
	clientsHint = "it has as many connections as it accepts: raise its setting maxclients, or use fewer workers"
)

var sentinelHints = []hint{
	{"redis: nil", "no Sentinel knows a master of that name: check WQ_REDIS_SENTINEL_MASTER"},
	{"unknown command", "WQ_REDIS_ADDRS must name Sentinels: these are other servers"},
	{"NOAUTH", "the Sentinels want a password: set WQ_REDIS_SENTINEL_PASSWORD"},
	{"WRONGPASS", "check WQ_REDIS_SENTINEL_USERNAME and WQ_REDIS_SENTINEL_PASSWORD"},
	{"AUTH ", "check WQ_REDIS_SENTINEL_USERNAME and WQ_REDIS_SENTINEL_PASSWORD"},
}

func fromSentinels(err error) bool { return strings.HasPrefix(err.Error(), "redis: all sentinels") }

// tlsHint returns the way out if the two sides cannot agree on TLS, and "" if it is something else.
func tlsHint(err error) string {
	var plain tls.RecordHeaderError
	var unverified *tls.CertificateVerificationError
	var alert tls.AlertError
	var file *certificateFileError
	switch {
	case errors.As(err, &file):
		return "check the files of WQ_REDIS_TLS_CA, WQ_REDIS_TLS_CERT and WQ_REDIS_TLS_KEY"
	case errors.As(err, &plain):
		return "the server does not speak TLS: set WQ_REDIS_TLS=false, or begin WQ_REDIS_URL with redis://"
	case isExpired(err):
		return "renew the server's certificate, or check the clocks"
	case errors.As(err, &unverified):
		return "check WQ_REDIS_TLS_CA and WQ_REDIS_TLS_SERVER_NAME"
	case errors.As(err, &alert), strings.Contains(err.Error(), "remote error: tls: "):
		return "does the server want a certificate? Check WQ_REDIS_TLS_CERT and WQ_REDIS_TLS_KEY"
	}
	return ""
}

// isExpired reports whether the server's certificate is not valid at this time. No setting can be the reason.
func isExpired(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired
}
