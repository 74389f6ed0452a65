package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os/exec"
	"time"
)

const recoveryLease = 2 * time.Second

// Recovery is how long an item whose worker was killed waits until it runs again.
type Recovery struct {
	Lease   float64   `json:"lease"` // seconds
	Seconds []float64 `json:"seconds"`
}

func measureRecovery(ctx context.Context, s *server, sizes scale) (*Recovery, error) {
	m := &Recovery{Lease: recoveryLease.Seconds()}
	for range sizes.trials {
		took, err := recovery(ctx, s)
		if err != nil {
			return m, err
		}
		log.Printf("  %.2f s", took.Seconds())
		m.Seconds = append(m.Seconds, took.Seconds())
	}
	return m, nil
}

// recovery kills one of two workers while it runs the only item there is.
func recovery(ctx context.Context, s *server) (time.Duration, error) {
	if err := s.flush(ctx); err != nil {
		return 0, err
	}
	if _, err := run(ctx, s, ours, ours.seed, s.addr, 1); err != nil {
		return 0, err
	}
	type begun struct {
		worker int
		at     time.Time
	}
	runs := make(chan begun, 4)
	var workers [2]*exec.Cmd
	for i := range workers {
		cmd := start(ctx, ours, goProgram("workqueue", "hold"), s.addr,
			fmt.Sprintf("BENCH_LEASE_MS=%d", recoveryLease.Milliseconds()))
		output, err := cmd.StdoutPipe()
		if err != nil {
			return 0, err
		}
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}()
		workers[i] = cmd
		go func() {
			for lines := bufio.NewScanner(output); lines.Scan(); {
				runs <- begun{i, time.Now()}
			}
		}()
	}
	await := func() (begun, error) {
		select {
		case b := <-runs:
			return b, nil
		case <-ctx.Done():
			return begun{}, ctx.Err()
		case <-time.After(10 * recoveryLease):
			return begun{}, fmt.Errorf("the item did not run within %v", 10*recoveryLease)
		}
	}
	first, err := await()
	if err != nil {
		return 0, err
	}
	// At any point between two renewals.
	time.Sleep(recoveryLease/2 + rand.N(recoveryLease))
	killed := time.Now()
	if err := workers[first.worker].Process.Kill(); err != nil {
		return 0, err
	}
	second, err := await()
	if err == nil && second.worker == first.worker {
		err = fmt.Errorf("the item ran again in the worker that was killed")
	}
	return second.at.Sub(killed), err
}
