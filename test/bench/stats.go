package main

import (
	"os"
	"slices"
	"strings"
)

// median of some figures; 0 of none.
func median(figures []float64) float64 { return quantile(figures, 0.5) }

// quantile returns the figure below which the given share of the figures lies.
func quantile(figures []float64, part float64) float64 {
	if len(figures) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(figures))
	at := part * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// ratios divides round by round.
func ratios(ours, theirs []float64) []float64 {
	var quotients []float64
	for i := range min(len(ours), len(theirs)) {
		if theirs[i] > 0 {
			quotients = append(quotients, ours[i]/theirs[i])
		}
	}
	return quotients
}

// load is the machine's load average of the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
