package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// report is all results.
type report struct {
	Date        string      `json:"date"`
	Machine     string      `json:"machine"`
	Versions    string      `json:"versions"`
	Quick       bool        `json:"quick"`
	Conditions  []Condition `json:"conditions"`
	Minutes     float64     `json:"minutes"`
	Goals       []Goal      `json:"goals"`
	Loopback    []*Standing `json:"loopback,omitempty"`
	Millisecond []*Standing `json:"millisecond,omitempty"`
	Seed        *Seeding    `json:"seed,omitempty"`
	Large       *Large      `json:"large,omitempty"`
	Crowd       *Crowd      `json:"crowd,omitempty"`
	Load        []*Load     `json:"load,omitempty"`
	Recovery    *Recovery   `json:"recovery,omitempty"`
	Costs       []*Cost     `json:"costs,omitempty"`
	Makespans   []*Makespan `json:"makespans,omitempty"`

	started time.Time
}

// Condition is what else the machine did while a part was measured.
type Condition struct {
	Part     string  `json:"part"`
	Load     string  `json:"load"`     // average of the minute before the part began
	Others   float64 `json:"others"`   // cores that other programs used on average
	Repeated int     `json:"repeated"` // rounds that were repeated because others used more than `disturbance` cores
}

// Goal is a figure to reach.
type Goal struct {
	Name   string  `json:"name"`
	Goal   string  `json:"goal"`
	Figure float64 `json:"figure"`
	Text   string  `json:"text"`
	Met    bool    `json:"met"`
}

func newReport(quick bool) *report {
	redis, _ := exec.Command("redis-server", "--version").Output()
	_, version, _ := strings.Cut(string(redis), "v=")
	version, _, _ = strings.Cut(version, " ")
	return &report{
		started:  time.Now(),
		Date:     time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		Machine:  fmt.Sprintf("%d × %s, %s", runtime.NumCPU(), processor(), memory()),
		Versions: fmt.Sprintf("Redis %s without persistence, %s", version, runtime.Version()),
		Quick:    quick,
	}
}

// finish compares the figures with the goals.
func (r *report) finish() {
	r.Minutes = time.Since(r.started).Minutes()
	goal := func(name, wanted string, figure float64, met bool, format string, values ...any) {
		r.Goals = append(r.Goals, Goal{name, wanted, figure, fmt.Sprintf(format, values...), met})
	}
	if r.Loopback != nil {
		floor, own := r.Loopback[0], r.Loopback[1]
		goal("Drain, against raw LPOP COUNT 1000", "≥ 0.5", floor.OursToIt, floor.OursToIt >= 0.5, "%.2f", floor.OursToIt)
		if best := bestOther(r.Loopback); best != nil {
			goal("Drain, against the best of the other queues", "≥ 120 ×", best.OursToIt, best.OursToIt >= 120,
				"%.0f × %s", best.OursToIt, best.Name)
		}
		cpu := median(own.RedisMicros)
		goal("Redis's processor time per item, at 1000 a batch", "< 1 µs", cpu, cpu < 1,
			"%.2f µs, where the floor takes %.2f µs", cpu, median(floor.RedisMicros))
	}
	if best := bestOther(r.Millisecond); best != nil {
		goal("Drain with a millisecond more to Redis, against the best of the others", "≥ 100 ×", best.OursToIt,
			best.OursToIt >= 100, "%.0f × %s", best.OursToIt, best.Name)
	}
	if r.Seed != nil {
		ratio := median(ratios(r.Seed.Ours, r.Seed.Raw))
		goal("Seed, against raw pipelined RPUSH", "≥ 80 %", ratio, ratio >= 0.8, "%.0f %%", 100*ratio)
		raw, own := median(r.Seed.RawBytes), median(r.Seed.OursBytes)
		goal("Memory per waiting item, beyond a raw list", "≤ 2 bytes", own-raw, own-raw <= 2,
			"%.2f bytes (%.2f against %.2f)", own-raw, own, raw)
	}
	if r.Large != nil {
		goal("Memory of a worker that drains 10 million items", "< 30 MB", float64(r.Large.WorkerRSS), r.Large.WorkerRSS < 30e6, "%.0f MB", float64(r.Large.WorkerRSS)/1e6)
	}
	for _, c := range r.Costs {
		sign := "≤"
		if c.AtLeast {
			sign = "≥"
		}
		goal(c.Name, fmt.Sprintf("%s %.0f %s", sign, c.Goal, c.Unit), median(c.Figures), c.met(), "%s %s",
			spread(c.Figures, func(x float64) string { return fmt.Sprintf("%.1f", x) }), c.Unit)
	}
	if r.Makespans != nil {
		ratio, waited, exit := worst(r.Makespans)
		goal("Makespan, against a central greedy queue", fmt.Sprintf("≤ %.1f ×", makespanLimit), ratio, ratio <= makespanLimit, "%.2f × at worst", ratio)
		goal("Longest wait of an item while a slot is idle", fmt.Sprintf("≤ %v", waitLimit), waited, waited <= waitLimit.Seconds(), "%.2f s", waited)
		goal("From the end of the last item to that of the last worker", fmt.Sprintf("≤ %v", exitLimit), exit, exit <= exitLimit.Seconds(), "%.2f s at worst", exit)
	}
}

// bestOther is the fastest of the other queues.
func bestOther(standings []*Standing) (best *Standing) {
	for _, s := range standings {
		if !s.Floor && !s.Ours && s.Failed == "" && (best == nil || median(s.Rates) > median(best.Rates)) {
			best = s
		}
	}
	return best
}

// write writes report.json and report.md into a folder, and prints the latter.
func (r *report) write(folder string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "report.json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	text := r.markdown()
	fmt.Print(text)
	return os.WriteFile(filepath.Join(folder, "report.md"), []byte(text), 0o644)
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Trim(line, "\t :")
}

func memory() string {
	text, _ := os.ReadFile("/proc/meminfo")
	var kib int
	_, _ = fmt.Sscanf(string(text), "MemTotal: %d", &kib)
	return fmt.Sprintf("%.0f GiB", float64(kib)/(1<<20))
}
