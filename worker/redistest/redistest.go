// Package redistest starts real redis-servers for tests and benchmarks.
package redistest

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
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
	cmd  *exec.Cmd
}

// Start runs a redis-server on a free port of the loopback interface, without persistence unless args say otherwise
// ("--appendonly", "yes"). The test fails if the machine has no redis-server.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s := &Server{Addr: freeAddr(tb), Dir: tb.TempDir(), tb: tb, args: args}
	s.Restart()
	tb.Cleanup(s.Kill)
	return s
}

// Restart starts the server again after Kill, on the same address and directory.
func (s *Server) Restart() {
	s.tb.Helper()
	_, port, _ := net.SplitHostPort(s.Addr)
	args := append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", s.Dir, "--save", "", "--appendonly", "no",
		"--loglevel", "warning"}, s.args...)
	s.cmd = exec.Command("redis-server", args...)
	// A test binary that is itself killed must not leave servers behind.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatalf("cannot start redis-server (Debian package redis-server, or run make deps): %v", err)
	}
	client := s.Client()
	defer client.Close()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = client.Ping(context.Background()).Err(); err == nil {
			return
		}
	}
	s.tb.Fatalf("redis-server on %s does not answer: %v", s.Addr, err)
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// Process is the server's process id.
func (s *Server) Process() int { return s.cmd.Process.Pid }

// URL is the server's address as WQ_REDIS_URL takes it.
func (s *Server) URL() string { return "redis://" + s.Addr + "/0" }

// Client opens a client, to be closed by the caller.
func (s *Server) Client() *redis.Client { return redis.NewClient(&redis.Options{Addr: s.Addr}) }

func freeAddr(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	return fmt.Sprintf("127.0.0.1:%s", strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
}
