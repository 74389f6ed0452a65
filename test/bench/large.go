package main

import (
	"context"
	"strconv"

	"github.com/workqueue/workqueue/test/bench/internal/peer"
)

// Large is a queue of many items, from seeding to the end.
type Large struct {
	Items       int     `json:"items"`
	SeedSeconds float64 `json:"seed_seconds"`
	SeederRSS   int64   `json:"seeder_rss"` // peak, bytes
	Seconds     float64 `json:"seconds"`    // of the drain
	WorkerRSS   int64   `json:"worker_rss"` // peak, bytes
	RedisRSS    int64   `json:"redis_rss"`  // peak, bytes
	RedisMemory float64 `json:"redis_memory"`
	RedisMicros float64 `json:"redis_micros"` // processor time of Redis per item drained
}

func measureLarge(ctx context.Context, s *server, sizes scale) (*Large, error) {
	m := &Large{Items: sizes.largeItems}
	seeded, err := run(ctx, s, ours, goProgram("workqueue", "stream"), s.addr, m.Items)
	if err != nil {
		return m, err
	}
	m.SeedSeconds, m.SeederRSS = seeded.Seconds, seeded.PeakRSS
	drained, err := run(ctx, s, ours, ours.drain, s.addr, m.Items)
	if err != nil {
		return m, err
	}
	m.Seconds, m.WorkerRSS = drained.Seconds, drained.PeakRSS
	m.RedisMicros = drained.redisCPU * 1e6 / float64(m.Items)
	m.RedisRSS = peer.PeakRSS(strconv.Itoa(s.cmd.Process.Pid))
	info, err := s.info(ctx)
	m.RedisMemory = info.number("used_memory_peak")
	return m, err
}
