// Package redistest starts real redis-servers for tests and benchmarks: one alone, a master with Sentinels, a Cluster,
// any of them with TLS. They end with the test and leave nothing behind.
package redistest

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a running redis-server that ends with its test.
type Server struct {
	Addr string
	Dir  string // its working directory, where an append-only file would be
	tb   testing.TB
	args []string
	env  []string // more of it
	cmd  *exec.Cmd

	clock string // the file that StepClock writes

	password string
	tls      *tls.Config
}

// Start runs a redis-server on a free port of the loopback interface, without persistence unless args say otherwise
// ("--appendonly", "yes"). The test fails if the machine has no redis-server.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return start(tb, FreeAddr(tb), nil, args...)
}

// StartTLS is Start for a server that speaks TLS only, and wants a certificate of its clients as well.
func StartTLS(tb testing.TB, authority *Authority, args ...string) *Server {
	tb.Helper()
	return start(tb, FreeAddr(tb), authority, args...)
}

func start(tb testing.TB, addr string, authority *Authority, args ...string) *Server {
	tb.Helper()
	s := newServer(tb, addr, authority)
	s.args = append(s.args, "--save", "", "--appendonly", "no")
	s.args = append(s.args, args...)
	for i, arg := range args {
		if arg == "--requirepass" {
			s.password = args[i+1]
		}
	}
	s.Restart()
	tb.Cleanup(s.Kill)
	return s
}

// newServer is one that does not run yet, of whatever kind: with TLS if there is an authority.
func newServer(tb testing.TB, addr string, authority *Authority) *Server {
	s := &Server{Addr: addr, Dir: tb.TempDir(), tb: tb}
	_, port, _ := net.SplitHostPort(addr)
	if authority == nil {
		s.args = []string{"--port", port}
	} else {
		s.tls = authority.Config
		s.args = []string{"--port", "0", "--tls-port", port, "--tls-replication", "yes", "--tls-cluster", "yes", "--tls-ca-cert-file", authority.CA,
			"--tls-cert-file", authority.Cert, "--tls-key-file", authority.Key}
	}
	s.args = append(s.args, "--bind", "127.0.0.1", "--dir", s.Dir, "--loglevel", "warning")
	return s
}

// Restart starts the server again after Kill, on the same address and directory.
func (s *Server) Restart() {
	s.tb.Helper()
	s.run(s.args...)
	s.await()
}

// Replace gives the server the certificate of another authority and starts it again, so that every connection has to be made anew.
func (s *Server) Replace(authority *Authority) {
	s.tb.Helper()
	s.Kill()
	files := map[string]string{"--tls-ca-cert-file": authority.CA, "--tls-cert-file": authority.Cert, "--tls-key-file": authority.Key}
	for i, arg := range s.args {
		if file, found := files[arg]; found {
			s.args[i+1] = file
		}
	}
	config := authority.Config.Clone()
	config.InsecureSkipVerify = true // the certificate may be expired
	s.tls = config
	s.Restart()
}

func (s *Server) run(args ...string) {
	s.tb.Helper()
	s.cmd = exec.Command("redis-server", args...)
	s.cmd.Env = append(os.Environ(), s.env...)
	// A test binary that is itself killed must not leave servers behind.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatalf("cannot start redis-server (Debian package redis-server, or run make deps): %v", err)
	}
}

func (s *Server) await() {
	s.tb.Helper()
	client := s.Client()
	defer client.Close()
	Eventually(s.tb, "redis-server on "+s.Addr+" replies", func() error {
		return client.Ping(context.Background()).Err()
	})
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// Process returns the server's process id.
func (s *Server) Process() int { return s.cmd.Process.Pid }

// URL returns the server's address for WQ_REDIS_URL, without the password.
func (s *Server) URL() string {
	if s.tls != nil {
		return "rediss://" + s.Addr + "/0"
	}
	return "redis://" + s.Addr + "/0"
}

// writeTimeout is far more than a test's own records take on a busy machine.
const writeTimeout = time.Minute

// Client opens a client, to be closed by the caller.
func (s *Server) Client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.Addr, Password: s.password, TLSConfig: s.tls, WriteTimeout: writeTimeout})
}

// Info returns one field of INFO.
func (s *Server) Info(field string) string {
	client := s.Client()
	defer client.Close()
	text, _ := client.Info(context.Background()).Result()
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Eventually repeats a check until it passes, or fails the test after a minute, which is far more than anything takes.
func Eventually(tb testing.TB, what string, check func() error) {
	tb.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	tb.Fatalf("not within a minute: %s: %v", what, err)
}

// FreeAddr returns a loopback address on which nobody listens.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
