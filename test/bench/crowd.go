package main

import (
	"bufio"
	"context"
	"errors"
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
	idleWorkers = 10000
	idleHosts   = 4 // processes that hold them
	busyWorkers = 100
	busyItem    = 10 * time.Millisecond
	settle      = 40 * time.Second // until all are connected and in step
	crowdPushes = 50
)

// Crowd is the load of many workers at once: first all of them idle, then some busy on another queue.
type Crowd struct {
	Idle Calls `json:"idle"`
	Busy Calls `json:"busy"` // idle and busy together
	// Started is, for each of some single items that are pushed while all are idle, how many ms later a worker has it.
	Started []float64 `json:"started_ms"`
	// PushMillis is the processor time of Redis for such an item, in ms, beyond that for the idle workers.
	PushMillis float64 `json:"push_ms"`
	// EndSeconds is the time from the sealing of the empty queue until the last of the idle workers has ended.
	EndSeconds float64 `json:"end_seconds"`
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
	// The idle ones wait for items of queues that are not sealed.
	for _, name := range []string{"idle", "idle-too"} {
		if _, _, err := queue.New(s.client, name).NewSeeder("nothing").Publish(ctx, false); err != nil {
			return m, err
		}
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
	if err = m.push(ctx, s); err != nil {
		return m, err
	}
	if err = m.seal(ctx, s); err != nil {
		return m, err
	}
	if err = m.Idle.end(hosts); err != nil {
		return m, err
	}

	items := int(m.MaxRate * (2*sizes.crowdTime + 4*settle).Seconds())
	if _, err = run(ctx, s, ours, ours.seed, s.addr, items); err != nil {
		return m, err
	}
	hosts = nil
	for range idleHosts {
		h, err := startHost(ctx, s, idleWorkers/idleHosts, "idle-too", 0)
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
	if m.Busy, m.DoneRate, err = observe(ctx, s, hosts, sizes.crowdTime); err != nil {
		return m, err
	}
	return m, m.Busy.end(hosts)
}

// push pushes single items while all are idle.
func (m *Crowd) push(ctx context.Context, s *server) error {
	before, err := s.info(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	taken := func() int { n, _ := s.client.HGet(ctx, "{idle}:state", "taken").Int(); return n }
	for range crowdPushes {
		had, started := taken(), time.Now()
		if err := s.client.RPush(ctx, "idle", "item").Err(); err != nil {
			return err
		}
		for taken() == had {
			if time.Since(started) > time.Minute {
				return errors.New("a pushed item was not leased within a minute")
			}
			time.Sleep(time.Millisecond)
		}
		m.Started = append(m.Started, float64(time.Since(started).Microseconds())/1000)
		time.Sleep(100 * time.Millisecond)
	}
	after, err := s.info(ctx)
	if err != nil {
		return err
	}
	m.PushMillis = 1000 * (after.cpu() - before.cpu() - m.Idle.RedisCPU*time.Since(began).Seconds()) / crowdPushes
	return nil
}

// seal ends the run of the idle workers.
func (m *Crowd) seal(ctx context.Context, s *server) error {
	if err := queue.New(s.client, "idle").Seal(ctx); err != nil {
		return err
	}
	for started := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		state, err := s.info(ctx)
		if err != nil {
			return err
		}
		m.EndSeconds = time.Since(started).Seconds()
		if state.number("connected_clients") < 10 {
			return nil
		}
		if m.EndSeconds > 60 {
			return fmt.Errorf("%s idle workers have not ended within a minute", state["connected_clients"])
		}
	}
}

// observe measures the calls of some hosts for a while.
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
	return Calls{
		PerSecond: (after.calls() - before.calls()) / seconds,
		RedisCPU:  (after.cpu() - before.cpu()) / seconds,
	}, float64(countsAfter.Done-countsBefore.Done) / seconds, nil
}

// end ends the hosts, and adds how long their exchanges took.
func (c *Calls) end(hosts []*host) error {
	var millis []float64
	for _, h := range hosts {
		taken, err := h.end()
		if err != nil {
			return err
		}
		millis = append(millis, taken...)
	}
	c.Exchanges, c.P50, c.P99 = len(millis), quantile(millis, 0.50), quantile(millis, 0.99)
	return nil
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
