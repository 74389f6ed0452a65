package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/test/bench/internal/peer"
	"github.com/workqueue/workqueue/worker/queue"
)

const (
	idleWorkers = 1000
	idleHosts   = 4 // processes that hold them
	busyWorkers = 100
	busyItem    = 10 * time.Millisecond
	settle      = 4 * time.Second // until all are connected and in step
)

// Crowd is the load of many workers at once: first all of them idle, then some busy on another queue.
type Crowd struct {
	Idle Calls `json:"idle"`
	Busy Calls `json:"busy"` // idle and busy together
	// DoneRate is items per second of the busy ones.
	DoneRate float64 `json:"done_rate"`
	// MaxRate is the rate if leasing took no time.
	MaxRate float64 `json:"max_rate"`
}

// Calls is what workers cost Redis.
type Calls struct {
	PerSecond float64 `json:"per_second"`
	RedisCPU  float64 `json:"redis_cpu"` // of one core
	Exchanges int     `json:"exchanges"` // number of those measured
	P50       float64 `json:"p50_ms"`    // of one exchange, as the worker sees it
	P99       float64 `json:"p99_ms"`
}

func measureCrowd(ctx context.Context, s *server, sizes scale) (*Crowd, error) {
	m := &Crowd{MaxRate: float64(busyWorkers) / busyItem.Seconds()}
	// The idle ones wait for items of a queue that is not sealed.
	if _, _, err := queue.New(s.client, "idle").NewSeeder("nothing").Publish(ctx, false); err != nil {
		return m, err
	}
	var hosts []*host
	defer func() {
		for _, h := range hosts {
			h.kill()
		}
	}()
	for range idleHosts {
		h, err := startHost(ctx, s, idleWorkers/idleHosts, "idle", 0)
		if err != nil {
			return m, err
		}
		hosts = append(hosts, h)
	}
	var err error
	if m.Idle, _, err = observe(ctx, s, hosts, sizes.crowdTime); err != nil {
		return m, err
	}

	items := int(m.MaxRate * (2*sizes.crowdTime + 4*settle).Seconds())
	if _, err = run(ctx, s, ours, ours.seed, s.addr, items); err != nil {
		return m, err
	}
	hosts = nil
	for range idleHosts {
		h, err := startHost(ctx, s, idleWorkers/idleHosts, "idle", 0)
		if err != nil {
			return m, err
		}
		hosts = append(hosts, h)
	}
	h, err := startHost(ctx, s, busyWorkers, "bench", busyItem)
	if err != nil {
		return m, err
	}
	hosts = append(hosts, h)
	m.Busy, m.DoneRate, err = observe(ctx, s, hosts, sizes.crowdTime)
	return m, err
}

// observe measures the calls of some hosts for a while and then ends the hosts.
func observe(ctx context.Context, s *server, hosts []*host, duration time.Duration) (Calls, float64, error) {
	time.Sleep(settle)
	for _, h := range hosts {
		if err := h.begin(); err != nil {
			return Calls{}, 0, err
		}
	}
	before, err := s.info(ctx)
	if err != nil {
		return Calls{}, 0, err
	}
	busy := queue.New(s.client, peer.Queue)
	countsBefore, err := busy.Counts(ctx)
	if err != nil {
		return Calls{}, 0, err
	}
	started := time.Now()
	time.Sleep(duration)
	after, err := s.info(ctx)
	if err != nil {
		return Calls{}, 0, err
	}
	countsAfter, err := busy.Counts(ctx)
	if err != nil {
		return Calls{}, 0, err
	}
	seconds := time.Since(started).Seconds()
	var millis []float64
	for _, h := range hosts {
		taken, err := h.end()
		if err != nil {
			return Calls{}, 0, err
		}
		millis = append(millis, taken...)
	}
	return Calls{
		PerSecond: (after.calls() - before.calls()) / seconds,
		RedisCPU:  (after.cpu() - before.cpu()) / seconds,
		Exchanges: len(millis),
		P50:       quantile(millis, 0.50),
		P99:       quantile(millis, 0.99),
	}, float64(countsAfter.Done-countsBefore.Done) / seconds, nil
}

// host is a process with many workers.
type host struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	lines *bufio.Reader
}

func startHost(ctx context.Context, s *server, workers int, queue string, item time.Duration) (*host, error) {
	cmd := start(ctx, ours, goProgram("workqueue", "crowd"), s.addr, fmt.Sprintf("BENCH_WORKERS=%d", workers),
		"BENCH_QUEUE="+queue, fmt.Sprintf("BENCH_ITEM_MS=%d", item.Milliseconds()))
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &host{cmd, input, bufio.NewReaderSize(output, 1<<20)}, cmd.Start()
}

// begin starts the measurement.
func (h *host) begin() error {
	_, err := io.WriteString(h.input, "begin\n")
	return err
}

// end ends the workers, and returns how many milliseconds each of their exchanges took.
func (h *host) end() (millis []float64, err error) {
	if err := h.input.Close(); err != nil {
		return nil, err
	}
	line, err := h.lines.ReadString('\n')
	if err != nil {
		return nil, err
	}
	for _, word := range strings.Fields(line) {
		micros, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, err
		}
		millis = append(millis, micros/1000)
	}
	_, _ = io.Copy(io.Discard, h.lines)
	return millis, h.cmd.Wait()
}

func (h *host) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}
