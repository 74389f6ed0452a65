package main

import (
	"context"
	"log"
)

// Seeding compares the project's Seeder with raw pipelined RPUSH of 1000 values each.
type Seeding struct {
	Items     int       `json:"items"`
	Ours      []float64 `json:"ours"` // items per second, round by round
	Raw       []float64 `json:"raw"`
	OursBytes []float64 `json:"ours_bytes"` // memory of Redis per waiting item, round by round
	RawBytes  []float64 `json:"raw_bytes"`
}

func measureSeed(ctx context.Context, s *server, sizes scale) (*Seeding, error) {
	m := &Seeding{Items: sizes.seedItems}
	fill := func(p program) (rate, bytes float64, err error) {
		if err := s.flush(ctx); err != nil {
			return 0, 0, err
		}
		before, err := s.info(ctx)
		if err != nil {
			return 0, 0, err
		}
		seeded, err := run(ctx, s, p, p.seed, s.addr, m.Items)
		if err != nil {
			return 0, 0, err
		}
		after, err := s.info(ctx)
		memory := after.number("used_memory") - before.number("used_memory")
		return seeded.rate(), memory / float64(m.Items), err
	}
	for round := range sizes.seedRounds + 1 {
		raw, rawBytes, err := fill(lpop)
		if err != nil {
			return m, err
		}
		own, ownBytes, err := fill(ours)
		if err != nil {
			return m, err
		}
		if round == 0 {
			continue // the first takes memory from the system that the others find there
		}
		m.Raw, m.RawBytes = append(m.Raw, raw), append(m.RawBytes, rawBytes)
		m.Ours, m.OursBytes = append(m.Ours, own), append(m.OursBytes, ownBytes)
		log.Printf("  raw %.0f/s, ours %.0f/s", raw, own)
	}
	return m, nil
}
