package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/workqueue/workqueue/test/bench/internal/peer"
)

// runLimit ends a peer that hangs.
const runLimit = 90 * time.Second

// program is a peer: a queue's library and a handler that does nothing.
type program struct {
	name        string
	language    string
	settings    string // what its users would set, in words
	concurrency int
	seed, drain []string // command lines
	dir         string   // where they run, under peers/
	rate        float64  // items per second to expect, for the first guess at how many to run
}

// The peers, each with the concurrency at which it was fastest of those that its documentation recommends.
var (
	lpop = program{name: "LPOP COUNT 1000", language: "Go", settings: "no safety: the floor of physics", rate: 2.5e6,
		seed: goProgram("lpop", "seed"), drain: goProgram("lpop", "drain")}
	ours = program{name: "workqueue", language: "Go", settings: "1 slot, the default", rate: 1e6,
		seed: goProgram("workqueue", "seed"), drain: goProgram("workqueue", "drain")}
	others = []program{
		{name: "asynq", language: "Go", settings: "10 goroutines", concurrency: 10, rate: 4000,
			seed: goProgram("asynq", "seed"), drain: goProgram("asynq", "drain")},
		{name: "rediswq in Go", language: "Go", settings: "the tutorial's protocol, 5 calls an item", rate: 4000,
			seed: goProgram("rediswq-go", "seed"), drain: goProgram("rediswq-go", "drain")},
		{name: "Bee-Queue", language: "Node.js", settings: "concurrency 50, no events, removed on success", concurrency: 50, rate: 10000,
			dir: "node", seed: []string{"node", "bee-queue.js", "seed"}, drain: []string{"node", "bee-queue.js", "drain"}},
		{name: "BullMQ", language: "Node.js", settings: "concurrency 50, removed on completion", concurrency: 50, rate: 5000,
			dir: "node", seed: []string{"node", "bullmq.js", "seed"}, drain: []string{"node", "bullmq.js", "drain"}},
		{name: "Sidekiq", language: "Ruby", settings: "10 threads, the default", concurrency: 10, rate: 4000,
			dir: "ruby", seed: []string{"ruby", "sidekiq.rb", "seed"},
			drain: []string{"sidekiq", "-c", "10", "-q", "default", "-r", "./sidekiq.rb"}},
		{name: "rediswq.py", language: "Python", settings: "the tutorial's protocol, 5 calls an item", rate: 1200,
			dir: "python", seed: python("rediswq.py", "seed"), drain: python("rediswq.py", "drain")},
		{name: "Celery", language: "Python", settings: "prefork, 2 processes, results ignored", concurrency: 2, rate: 700,
			dir: "python", seed: python("celery_peer.py", "seed"), drain: python("celery_peer.py", "drain")},
		{name: "RQ", language: "Python", settings: "the default worker, a fork per job", rate: 80,
			dir: "python", seed: python("rq_peer.py", "seed"), drain: python("rq_peer.py", "drain")},
	}
)

// goProgram is a peer in Go, which the script run has built beside this program.
func goProgram(name string, words ...string) []string {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return append([]string{filepath.Join(filepath.Dir(self), name)}, words...)
}

// python is the interpreter for which Debian installs packages.
func python(words ...string) []string { return append([]string{"/usr/bin/python3"}, words...) }

// outcome is one measured run.
type outcome struct {
	peer.Result
	redisCPU  float64 // seconds
	scriptCPU float64 // seconds of them in scripts
}

func (o outcome) rate() float64 {
	if o.Seconds == 0 {
		return 0
	}
	return float64(o.Items) / o.Seconds
}

// start runs a command line of a peer against a Redis at addr.
func start(ctx context.Context, p program, words []string, addr string, variables ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = filepath.Join("peers", p.dir)
	cmd.Env = append(os.Environ(), "BENCH_ADDR="+addr, fmt.Sprintf("BENCH_CONCURRENCY=%d", p.concurrency))
	cmd.Env = append(cmd.Env, variables...)
	// Some peers fork: a process group of their own lets all of it be killed, and nothing outlives this program.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// run runs a command line of a peer to its end.
func run(ctx context.Context, s *server, p program, words []string, addr string, items int) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	before, err := s.info(ctx)
	if err != nil {
		return outcome{}, err
	}
	var stdout, stderr bytes.Buffer
	cmd := start(ctx, p, words, addr, fmt.Sprintf("BENCH_ITEMS=%d", items))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return outcome{}, fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, lastLine(stderr.String()))
	}
	after, err := s.info(ctx)
	if err != nil {
		return outcome{}, err
	}
	_, scriptsBefore := before.command("evalsha")
	_, scriptsAfter := after.command("evalsha")
	o := outcome{redisCPU: after.cpu() - before.cpu(), scriptCPU: scriptsAfter - scriptsBefore}
	for line := range strings.Lines(stdout.String()) { // some libraries print things of their own
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &o.Result) == nil {
			return o, nil
		}
	}
	return outcome{}, fmt.Errorf("%s: no result in %q", strings.Join(words, " "), lastLine(stdout.String()))
}

// seedAndDrain empties Redis, fills a peer's queue directly, and lets the peer drain it through addr.
func seedAndDrain(ctx context.Context, s *server, p program, addr string, items int) (seeded, drained outcome, err error) {
	if err = s.flush(ctx); err != nil {
		return
	}
	if seeded, err = run(ctx, s, p, p.seed, s.addr, items); err != nil {
		return
	}
	drained, err = run(ctx, s, p, p.drain, addr, items)
	return
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
