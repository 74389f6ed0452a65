package main

import (
	"context"
	"log"
	"time"
)

const (
	fewestItems = 50
	mostItems   = 6_000_000
)

// Standing is one peer's result.
type Standing struct {
	Name        string    `json:"name"`
	Version     string    `json:"version,omitempty"`
	Language    string    `json:"language"`
	Settings    string    `json:"settings"`
	Items       int       `json:"items"`                // in each run
	Rates       []float64 `json:"rates"`                // items per second, round by round
	RedisMicros []float64 `json:"redis_micros"`         // processor time of Redis per item, round by round
	Script      []float64 `json:"script_micros"`        // time of scripts per item, round by round
	Busy        []float64 `json:"redis_busy"`           // processor time of Redis per time that went by, round by round
	OursToIt    float64   `json:"ours_to_it,omitempty"` // median of our rate divided by its rate in the same round
	Failed      string    `json:"failed,omitempty"`     // why there are no figures
	Floor       bool      `json:"floor,omitempty"`      // raw LPOP COUNT
	Ours        bool      `json:"ours,omitempty"`       // this project
	program     program
}

// contest lets every peer drain a queue through addr, in interleaved rounds.
func contest(ctx context.Context, s *server, addr string, sizes scale) ([]*Standing, error) {
	var standings []*Standing
	for i, p := range append([]program{lpop, ours}, others...) {
		standing := &Standing{Name: p.name, Language: p.language, Settings: p.settings, Floor: i == 0, Ours: i == 1, program: p}
		standings = append(standings, standing)
		standing.calibrate(ctx, s, addr, sizes.target)
	}
	for round := range sizes.rounds {
		for _, standing := range standings {
			if standing.Failed != "" || round >= sizes.otherRounds && !standing.Floor && !standing.Ours {
				continue
			}
			standing.round(ctx, s, addr)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
	for _, standing := range standings {
		standing.OursToIt = median(ratios(standings[1].Rates, standing.Rates))
	}
	return standings, nil
}

// calibrate finds out how many items take about the target time.
func (s *Standing) calibrate(ctx context.Context, server *server, addr string, target time.Duration) {
	guess := clamp(s.program.rate * target.Seconds() / 4)
	_, drained, err := seedAndDrain(ctx, server, s.program, addr, guess)
	if err != nil {
		s.fail(err)
		return
	}
	s.Version = drained.Version
	s.Items = clamp(drained.rate() * target.Seconds())
}

// round is one run.
func (s *Standing) round(ctx context.Context, server *server, addr string) {
	var drained outcome
	err := server.quietly(func() (err error) {
		_, drained, err = seedAndDrain(ctx, server, s.program, addr, s.Items)
		return err
	}, func() {})
	if err != nil {
		s.fail(err)
		return
	}
	items := float64(drained.Items)
	s.Rates = append(s.Rates, drained.rate())
	s.RedisMicros = append(s.RedisMicros, drained.redisCPU*1e6/items)
	s.Script = append(s.Script, drained.scriptCPU*1e6/items)
	s.Busy = append(s.Busy, drained.redisCPU/drained.Seconds)
	log.Printf("  %-16s %10.0f items/s", s.Name, drained.rate())
}

func (s *Standing) fail(err error) {
	s.Failed = err.Error()
	log.Printf("  %-16s failed: %v", s.Name, err)
}

func clamp(items float64) int { return max(fewestItems, min(mostItems, int(items))) }
