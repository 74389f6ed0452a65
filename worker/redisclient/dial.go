package redisclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/workqueue/workqueue/worker/config"
)

const (
	dialTimeout = 5 * time.Second
	keepAlive   = 30 * time.Second
)

// dialer opens connections. It reads certificates anew for each, since those in a Secret are renewed in place.
func dialer(c config.Common) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		plain := &net.Dialer{KeepAlive: keepAlive}
		if !usesTLS(c) {
			conn, err := plain.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &firstReply{Conn: conn}, nil
		}
		settings, err := tlsConfig(c)
		if err != nil {
			return nil, &certificateFileError{err}
		}
		return (&tls.Dialer{NetDialer: plain, Config: settings}).DialContext(ctx, network, addr)
	}
}

func usesTLS(c config.Common) bool { return c.RedisTLS || c.RedisURL.Options.TLSConfig != nil }

// tlsConfig makes the settings of TLS from the files as they are now.
func tlsConfig(c config.Common) (*tls.Config, error) {
	publicRoots()
	// Without a name here, the certificate must be for the host of the address.
	settings := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.RedisTLSServerName}
	if inURL := c.RedisURL.Options.TLSConfig; inURL != nil {
		settings.InsecureSkipVerify = inURL.InsecureSkipVerify // only as the URL says: ?skip_verify=true
	}
	var err error
	if settings.RootCAs, err = c.RedisTLSCA.Read(); err != nil {
		return nil, fmt.Errorf("WQ_REDIS_TLS_CA: %w", err)
	}
	if c.RedisTLSCert != "" {
		pair, err := tls.LoadX509KeyPair(c.RedisTLSCert, c.RedisTLSKey)
		if err != nil {
			return nil, fmt.Errorf("WQ_REDIS_TLS_CERT: %w", err)
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return settings, nil
}

// certificateFileError is a certificate or key that cannot be read. They were read at the start, so they are perhaps being replaced.
type certificateFileError struct{ err error }

func (e *certificateFileError) Error() string { return e.err.Error() }
func (e *certificateFileError) Unwrap() error { return e.err }

// fullError is a server that accepts no more connections.
type fullError struct{ reply string }

func (e *fullError) Error() string {
	return "redis refuses: " + e.reply + " (" + clientsHint + ")"
}

// firstReply is a connection that recognizes a server without room for another one. go-redis takes that reply for one to HELLO, goes on,
// and reports only that the connection was closed.
type firstReply struct {
	net.Conn
	read bool
	full error
}

// Read implements io.Reader.
func (c *firstReply) Read(buffer []byte) (int, error) {
	if c.full != nil { // a reader may have passed over it
		return 0, c.full
	}
	n, err := c.Conn.Read(buffer)
	if !c.read && n > 0 {
		c.read = true
		if line, _, _ := bytes.Cut(buffer[:n], []byte("\r\n")); bytes.HasPrefix(line, []byte("-ERR max number of clients")) {
			c.full = &fullError{string(line[1:])}
			return 0, c.full
		}
	}
	return n, err
}

// SyscallConn implements syscall.Conn, by which go-redis sees that the server has closed an idle connection.
func (c *firstReply) SyscallConn() (syscall.RawConn, error) {
	if conn, ok := c.Conn.(syscall.Conn); ok {
		return conn.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
