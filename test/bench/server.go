package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a redis-server of our own on a free port of the loopback interface, without persistence.
type server struct {
	addr   string
	client *redis.Client
	cmd    *exec.Cmd
	dir    string

	repeated int // rounds that were disturbed
}

func startServer(ctx context.Context) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "workqueue-bench-")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "",
		"--appendonly", "no", "--maxclients", "12000", "--tcp-backlog", "4096", "--loglevel", "warning")
	// The server dies with this program, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{addr: addr, client: redis.NewClient(&redis.Options{Addr: addr}), cmd: cmd, dir: dir}
	for range 500 {
		if err = s.client.Ping(ctx).Err(); err == nil {
			return s, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("redis-server on %s does not answer: %w", addr, err)
}

func (s *server) stop() {
	s.client.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}

// info reads all of INFO; values are taken by name.
func (s *server) info(ctx context.Context) (info, error) {
	text, err := s.client.Info(ctx, "everything").Result()
	if err != nil {
		return nil, err
	}
	values := info{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			values[name] = value
		}
	}
	return values, nil
}

// info is the reply of INFO.
type info map[string]string

func (i info) number(name string) float64 {
	n, _ := strconv.ParseFloat(i[name], 64)
	return n
}

// cpu is the processor time that Redis has used, in seconds.
func (i info) cpu() float64 { return i.number("used_cpu_user") + i.number("used_cpu_sys") }

// command is the number of calls of a command, and the seconds that they took.
func (i info) command(name string) (calls, seconds float64) {
	for part := range strings.SplitSeq(i["cmdstat_"+name], ",") {
		key, value, _ := strings.Cut(part, "=")
		n, _ := strconv.ParseFloat(value, 64)
		switch key {
		case "calls":
			calls = n
		case "usec":
			seconds = n / 1e6
		}
	}
	return calls, seconds
}

// calls returns the number of round trips that workers made. Commands within a script are not counted.
func (i info) calls() (calls float64) {
	for _, name := range []string{"evalsha", "blmove", "blpop"} {
		n, _ := i.command(name)
		calls += n
	}
	return calls
}

// flush empties the server.
func (s *server) flush(ctx context.Context) error { return s.client.FlushAll(ctx).Err() }

func freeAddr() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
