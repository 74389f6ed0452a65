package redisclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
)

// reply is an error that Redis sends.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func TestTransient(t *testing.T) {
	refusedDial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	sentinels := func(errs ...error) error {
		return fmt.Errorf("redis: all sentinels specified in configuration are unreachable: %w", errors.Join(errs...))
	}
	for _, test := range []struct {
		err    error
		passes bool
	}{
		{refusedDial, true},
		{io.EOF, true},
		{fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), true},
		{context.DeadlineExceeded, true},
		{redis.ErrPoolTimeout, true},
		{errors.New("redis: cluster has no nodes"), true},
		{fmt.Errorf("%w: it holds 1 of the 2 items", queue.ErrIncomplete), true},
		{fmt.Errorf("batch w1.a:4: %w", queue.ErrBatchGone), true},
		{errReplica, true},
		{reply("LOADING Redis is loading the dataset in memory"), true},
		{reply("READONLY You can't write against a read only replica."), true},
		{reply("CLUSTERDOWN Hash slot not served"), true},
		{reply("OOM command not allowed when used memory > 'maxmemory'."), true},
		{reply("ERR Error running script (call to f_1): @user_script:84: @user_script: 84: -OOM command not allowed"), true},
		{reply("MISCONF Redis is configured to save RDB snapshots"), true},
		{sentinels(refusedDial, refusedDial), true},
		{sentinels(refusedDial, redis.Nil), true}, // the others may know better

		{sentinels(redis.Nil, redis.Nil), false},
		{reply("NOAUTH Authentication required."), false},
		{reply("WRONGTYPE Operation against a key holding the wrong kind of value"), false},
		{reply("ERR Error compiling script (new function): user_script:1: OOM "), false},
		{&tls.CertificateVerificationError{Err: errors.New("x509: unknown authority")}, false},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, false},
		{&RefusedError{"redis cannot hold a queue", reply("MOVED 1 a:1")}, false},
		{queue.ErrVanished, false},
		{&fs.PathError{Op: "open", Path: "items.json", Err: fs.ErrNotExist}, false}, // nothing of Redis
		{errors.New("reply of exchange.lua: 1 fields in place of 8"), false},
	} {
		if got := transient(test.err); got != test.passes {
			t.Errorf("transient(%v) is %v", test.err, got)
		}
	}
}

func TestRetry(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	tries := 0
	err := Retry(t.Context(), time.Minute, log, func(context.Context) error {
		if tries++; tries < 3 {
			return io.EOF
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
	if err := Retry(t.Context(), 0, log, func(context.Context) error { return io.EOF }); !errors.Is(err, ErrUnreachable) || !errors.Is(err, io.EOF) {
		t.Errorf("without a timeout: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = Retry(ctx, time.Minute, log, func(context.Context) error {
		cancel()
		return io.EOF
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("told to stop: %v", err)
	}
	var refused *RefusedError
	var wrongType reply
	err = Retry(t.Context(), time.Minute, log, func(context.Context) error { return reply("WRONGTYPE x") })
	if errors.As(err, &refused) || errors.Is(err, ErrUnreachable) || !errors.As(err, &wrongType) {
		t.Errorf("a reply that does not pass: %v", err)
	}
}
