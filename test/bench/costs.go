package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// Cost is a figure of the worker's binary with programs of its own, measured several times.
type Cost struct {
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	Goal    float64   `json:"goal"`
	AtLeast bool      `json:"at_least"` // the goal is a lower bound
	Figures []float64 `json:"figures"`  // round by round

	measure func(context.Context, *server) (float64, error)
}

const (
	costSmall    = 300_000 // items of a few bytes
	costLarge    = 500     // items of 1 MiB
	costBatches  = 800     // items in batches of 100
	costDead     = 5_000   // items that are dead at once
	longestGoal  = 5.0     // ms
	processesMax = 1.5 * costBatches / 100
)

func costs() []*Cost {
	stream := func(slots int) func(context.Context, *server) (float64, error) {
		return func(ctx context.Context, s *server) (float64, error) {
			used, err := s.work(ctx, numbers(costSmall), 1, "stream", []string{"echo"}, fmt.Sprint("WQ_CONCURRENCY=", slots))
			return used.processor.Seconds() * 1e6 / costSmall, err
		}
	}
	return []*Cost{
		{Name: "Processor time of worker and program per item, stream, 1 slot", Unit: "µs", Goal: 10, measure: stream(1)},
		{Name: "the same, 64 slots", Unit: "µs", Goal: 10, measure: stream(64)},
		{Name: "Items of 1 MiB, stream", Unit: "MiB/s", Goal: 300, AtLeast: true, measure: func(ctx context.Context, s *server) (float64, error) {
			large := strings.Repeat("a \"quoted\" word, and some more plain text; ", 1<<20/43)
			used, err := s.work(ctx, func(add func(string) error) error {
				for range costLarge {
					if err := add(large); err != nil {
						return err
					}
				}
				return nil
			}, 1, "stream", []string{"echo"})
			return costLarge / used.elapsed.Seconds(), err
		}},
		{Name: "Processes for 800 items in batches of 100, 2 × 4 slots (xargs: 8)", Unit: "processes", Goal: processesMax, measure: func(ctx context.Context, s *server) (float64, error) {
			used, err := s.work(ctx, numbers(costBatches), 2, "batch", []string{"count"}, "WQ_CONCURRENCY=4", "WQ_BATCH_SIZE=100")
			return float64(used.logged), err
		}},
		{Name: "Longest time that one call holds Redis: dead items, then all of them retried", Unit: "ms", Goal: longestGoal, measure: longestCall},
		{Name: "worker help", Unit: "ms", Goal: 15, measure: func(ctx context.Context, _ *server) (float64, error) {
			started := time.Now()
			err := exec.CommandContext(ctx, goProgram("worker")[0], "help").Run()
			return float64(time.Since(started).Microseconds()) / 1000, err
		}},
	}
}

func measureCosts(ctx context.Context, s *server, sizes scale) ([]*Cost, error) {
	all := costs()
	for range sizes.rounds {
		for _, c := range all {
			err := s.quietly(func() error {
				if err := s.flush(ctx); err != nil {
					return err
				}
				figure, err := c.measure(ctx, s)
				c.Figures = append(c.Figures, figure)
				return err
			}, func() { c.Figures = c.Figures[:len(c.Figures)-1] })
			if err != nil {
				return all, fmt.Errorf("%s: %w", c.Name, err)
			}
			log.Printf("  %s: %.2f %s", c.Name, c.Figures[len(c.Figures)-1], c.Unit)
		}
	}
	return all, nil
}

// met compares the median with the goal.
func (c *Cost) met() bool {
	if c.AtLeast {
		return median(c.Figures) >= c.Goal
	}
	return median(c.Figures) <= c.Goal
}

// longestCall lets a program call each item dead and then retries all, and returns how many ms the longest call took in Redis.
func longestCall(ctx context.Context, s *server) (float64, error) {
	settings := map[string]string{"slowlog-log-slower-than": "1000", "slowlog-max-len": "100000"}
	for name, value := range settings {
		if err := s.client.ConfigSet(ctx, name, value).Err(); err != nil {
			return 0, err
		}
	}
	defer s.client.ConfigSet(ctx, "slowlog-log-slower-than", "10000")
	if err := s.client.Do(ctx, "SLOWLOG", "RESET").Err(); err != nil {
		return 0, err
	}
	if _, err := s.work(ctx, numbers(costDead), 1, "stream", []string{"echo", "dead"}, fmt.Sprint("WQ_MAX_DEAD=", costDead)); err != nil {
		return 0, err
	}
	retry := exec.CommandContext(ctx, goProgram("worker")[0], "retry")
	retry.Env = append(os.Environ(), s.variables()...)
	if out, err := retry.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("retry: %w: %s", err, lastLine(string(out)))
	}
	slow, err := s.client.SlowLogGet(ctx, -1).Result()
	longest := time.Duration(0)
	for _, call := range slow {
		if strings.HasPrefix(strings.ToLower(call.Args[0]), "eval") {
			longest = max(longest, call.Duration)
		}
	}
	return float64(longest.Microseconds()) / 1000, err
}

// used is what a run of workers took.
type used struct {
	elapsed, processor time.Duration // processor time of the workers and their programs
	logged             int           // lines in the programs' log
}

// numbers returns a source of so many small items.
func numbers(n int) func(add func(string) error) error {
	return func(add func(string) error) error {
		for i := range n {
			if err := add(fmt.Sprintf("%d:1", i)); err != nil {
				return err
			}
		}
		return nil
	}
}

const costQueue = "costs"

// variables lead workers to the queue.
func (s *server) variables() []string {
	return []string{"WQ_REDIS_URL=redis://" + s.addr, "WQ_QUEUE=" + costQueue, "WQ_LOG_LEVEL=error"}
}

// work fills a queue, and lets workers with a verb of the sleeper drain it.
func (s *server) work(ctx context.Context, fill func(add func(string) error) error, workers int, mode string, words []string, variables ...string) (u used, err error) {
	seeder := queue.New(s.client, costQueue).NewSeeder("costs")
	if err := fill(func(item string) error { return seeder.Add(ctx, item) }); err != nil {
		return u, err
	}
	if _, _, err := seeder.Publish(ctx, true); err != nil {
		return u, err
	}
	dir, err := os.MkdirTemp("", "workqueue-costs-")
	if err != nil {
		return u, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "log")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return u, err
	}
	command, _ := json.Marshal(goProgram("sleeper", words...))
	environment := append(append(os.Environ(), s.variables()...), "WQ_MODE="+mode, "WQ_COMMAND="+string(command), "SLEEPER_LOG="+file)
	started := time.Now()
	var running []*exec.Cmd
	var stderr bytes.Buffer
	for range workers {
		cmd := exec.CommandContext(ctx, goProgram("worker")[0], "work")
		cmd.Env, cmd.Stdout, cmd.Stderr = append(environment, variables...), io.Discard, &stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return u, err
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if failure := cmd.Wait(); failure != nil {
			err = fmt.Errorf("%w: %s", failure, lastLine(stderr.String()))
			continue
		}
		u.processor += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	u.elapsed = time.Since(started)
	logged, readErr := os.ReadFile(file)
	u.logged = bytes.Count(logged, []byte("\n"))
	if err == nil {
		err = readErr
	}
	return u, err
}
