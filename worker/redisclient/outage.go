package redisclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// outage is the time since which a call fails. It ends when the same call succeeds: one that only reads may succeed while no call
// that writes does.
type outage struct {
	mu    sync.Mutex
	call  string // the one that failed first, "" if it is not known
	since time.Time
	last  time.Duration // how long the last outage has lasted
}

type outageKey struct{}

// began returns when the outage began, which is now if it was not known.
func (o *outage) began(now time.Time) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		o.call, o.since = "", now
	}
	return o.since
}

// lasted returns how long the last outage lasted, which is over now.
func (o *outage) lasted() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.since.IsZero() {
		return time.Since(o.since)
	}
	return o.last
}

func (o *outage) failed(cmd redis.Cmder) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		o.call, o.since = callName(cmd), time.Now()
	}
}

func (o *outage) succeeded(cmd redis.Cmder) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.since.IsZero() && o.call == callName(cmd) {
		o.last, o.since = time.Since(o.since), time.Time{}
	}
}

// outageHook reports the ends of calls to the outage of the Retry that makes them. It also says of a connection that broke during a
// large call what may be the reason.
type outageHook struct{}

func (outageHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (outageHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		return observe(ctx, err, cmd)
	}
}

func (outageHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		return observe(ctx, err, cmds...)
	}
}

func observe(ctx context.Context, err error, cmds ...redis.Cmder) error {
	if out, ok := ctx.Value(outageKey{}).(*outage); ok {
		for _, cmd := range cmds {
			switch why := cmd.Err(); {
			case why == nil && err == nil, errors.Is(why, redis.Nil):
				out.succeeded(cmd)
			case redis.HasErrorPrefix(why, "NOSCRIPT"): // the script is sent then
			default:
				out.failed(cmd)
			}
		}
	}
	if isConnection(err) && !hasOwnHint(err) {
		if bytes := size(cmds); bytes >= largeCall {
			return &largeCallError{bytes, err}
		}
	}
	return err
}

// callName distinguishes calls: by the command, and by the script if it is one.
func callName(cmd redis.Cmder) string {
	name := cmd.Name()
	if args := cmd.Args(); len(args) > 1 && (name == "evalsha" || name == "eval") {
		return fmt.Sprint("script ", args[1])
	}
	return name
}

// largeCall is the smallest value that Redis allows for the limits of a call.
const largeCall = 1 << 20

// largeCallError is a connection that broke during a large call: Redis closes a connection that exceeds its limits.
type largeCallError struct {
	bytes int
	err   error
}

func (e *largeCallError) Error() string {
	return fmt.Sprintf("%v, in a call of %d bytes (check that Redis runs; if it does, the call may exceed its limits: raise its settings "+
		"proto-max-bulk-len and client-query-buffer-limit, or make the items smaller)", e.err, e.bytes)
}

func (e *largeCallError) Unwrap() error { return e.err }

// hasOwnHint reports whether an error has the way out in its text.
func hasOwnHint(err error) bool {
	var large *largeCallError
	var full *fullError
	return errors.As(err, &large) || errors.As(err, &full)
}

func size(cmds []redis.Cmder) (bytes int) {
	for _, cmd := range cmds {
		for _, arg := range cmd.Args() {
			switch arg := arg.(type) {
			case string:
				bytes += len(arg)
			case []byte:
				bytes += len(arg)
			}
		}
	}
	return bytes
}
