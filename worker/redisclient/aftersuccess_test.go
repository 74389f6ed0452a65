package redisclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestRefusedAfterSuccess: whatever Redis refuses for longer than the timeout once a call has succeeded, it is out of reach. The
// settings are not wrong, since they were right before.
func TestRefusedAfterSuccess(t *testing.T) {
	t.Parallel()
	alert := &net.OpError{Op: "remote error", Err: tls.AlertError(45)}
	for _, test := range []struct {
		err  error
		says string
	}{
		{reply("READONLY You can't write against a read only replica."), "it is a replica"},
		{reply("LOADING Redis is loading the dataset in memory"), "still reading its data"},
		{reply("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."), "without a master"},
		{reply("CLUSTERDOWN Hash slot not served"), "cluster info"},
		{reply("TRYAGAIN Multiple keys request during rehashing of slot"), ""},
		{reply("MOVED 1 127.0.0.1:1"), ""},
		{reply("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."), "its disk"},
		{reply("OOM command not allowed when used memory > 'maxmemory'."), "maxmemory"},
		{reply("NOREPLICAS Not enough good replicas to write."), "min-replicas-to-write"},
		{reply("BUSY Redis is busy running a script."), "SLOWLOG"},
		{reply("NOAUTH Authentication required."), "WQ_REDIS_PASSWORD"},
		{reply("WRONGPASS invalid username-password pair or user is disabled."), "WQ_REDIS_PASSWORD"},
		{reply("NOPERM this user has no permissions to run the 'evalsha' command"), "the ACL user"},
		{reply("DENIED Redis is running in protected mode"), "protected mode"},
		{reply("ERR max number of clients reached"), "maxclients"},
		{&fullError{"ERR max number of clients reached"}, "maxclients"},
		{&largeCallError{2 << 20, io.EOF}, "proto-max-bulk-len"},
		{io.EOF, "check WQ_REDIS_URL, and that Redis runs"},
		{fmt.Errorf("redis: all sentinels specified in configuration are unreachable: %w", redis.Nil), "WQ_REDIS_SENTINEL_MASTER"},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, "renew the server's certificate"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "WQ_REDIS_TLS_CA"},
		{alert, "WQ_REDIS_TLS_CERT"},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "does not speak TLS"},
		{&certificateFileError{errors.New("WQ_REDIS_TLS_CERT: tls: private key does not match public key")}, "WQ_REDIS_TLS_KEY"},
	} {
		tries := 0
		err := Retry(t.Context(), 20*time.Millisecond, slog.New(slog.DiscardHandler), func(context.Context) error {
			tries++
			return test.err
		})
		var refused *RefusedError
		if !errors.Is(err, ErrUnreachable) || errors.As(err, &refused) || tries < 2 || !strings.Contains(err.Error(), test.says) || !errors.Is(err, test.err) {
			t.Errorf("%v: after %d tries %v", test.err, tries, err)
		}
		t.Log(err)
	}
}

// TestOutage: the timeout counts from the beginning of an outage, within a try that makes many calls too.
func TestOutage(t *testing.T) {
	t.Parallel()
	get, set := redis.NewStatusCmd(t.Context(), "get", "x"), redis.NewStatusCmd(t.Context(), "set", "x", "y")
	call := func(ctx context.Context, cmd *redis.StatusCmd, err error) error {
		cmd.SetErr(err)
		return observe(ctx, err, cmd)
	}
	const timeout = 300 * time.Millisecond
	readOnly := reply("READONLY x")
	for _, test := range []struct {
		name string
		try  func(ctx context.Context, n int) error
		ends bool
	}{
		{"a slow listing with two short spells", func(ctx context.Context, n int) error {
			_ = call(ctx, get, nil)
			time.Sleep(200 * time.Millisecond)
			if n < 3 {
				return call(ctx, get, readOnly)
			}
			return nil
		}, true},
		{"reads succeed, writes do not", func(ctx context.Context, _ int) error {
			_ = call(ctx, get, nil)
			time.Sleep(50 * time.Millisecond)
			return call(ctx, set, readOnly)
		}, false},
		{"nothing succeeds", func(ctx context.Context, _ int) error { return call(ctx, get, readOnly) }, false},
		{"one call fails, then another", func(ctx context.Context, n int) error {
			if n == 0 {
				return call(ctx, get, io.EOF)
			}
			_ = call(ctx, get, nil)
			return call(ctx, set, readOnly)
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := 0
			err := Retry(t.Context(), timeout, slog.New(slog.DiscardHandler), func(ctx context.Context) error {
				n++
				return test.try(ctx, n-1)
			})
			if test.ends != (err == nil) || !test.ends && !errors.Is(err, ErrUnreachable) {
				t.Errorf("after %d tries: %v", n, err)
			}
		})
	}
}
