package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// workload is a list of items, each of which sleeps.
type workload struct {
	name  string
	items []time.Duration
}

// workloads returns lists of the shapes that schedulers handle badly, each with about one span of work for every slot.
func workloads(slots int, span time.Duration) []workload {
	const ms = time.Millisecond
	work := time.Duration(slots) * span
	random := rand.New(rand.NewPCG(1, 2)) // the same lists in every run
	shuffled := func(items []time.Duration) []time.Duration {
		random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		return items
	}
	repeat := func(d, sum time.Duration) []time.Duration {
		return slices.Repeat([]time.Duration{d}, int(sum/d))
	}
	giant := []time.Duration{span / 2}
	small := repeat(50*ms, work/2)
	middle := len(small) / 2
	return []workload{
		{"constant", repeat(100*ms, work)},
		{"bimodal", shuffled(slices.Concat(repeat(50*ms, work/4), repeat(1000*ms, work*3/4)))},
		{"Pareto", pareto(random, work, 30*ms, span/2)},
		{"fast, then slow", slices.Concat(repeat(50*ms, work/4), repeat(1000*ms, work*3/4))},
		{"giant first", slices.Concat(giant, small)},
		{"giant amidst", slices.Concat(small[:middle], giant, small[middle:])},
		{"giant last", slices.Concat(small, giant)},
		{"very fast, then slow", slices.Concat(repeat(ms, work/40), repeat(1000*ms, work/2))},
		{"giant among very fast", slices.Concat(repeat(5*ms, work/8), []time.Duration{span * 3 / 2}, repeat(5*ms, work/2))},
	}
}

// pareto draws durations with the tail index 1.1: a few of them are most of the work.
func pareto(random *rand.Rand, work, least, most time.Duration) (items []time.Duration) {
	for work > 0 {
		d := min(most, time.Duration(float64(least)*math.Pow(1-random.Float64(), -1/1.1))).Round(time.Millisecond)
		items = append(items, d)
		work -= d
	}
	return items
}

// greedy is the makespan of an ideal central queue: list order, and no time lost between items.
func (w workload) greedy(slots int) time.Duration {
	free := make([]time.Duration, slots) // when each slot is
	for _, d := range w.items {
		first := slices.Index(free, slices.Min(free))
		free[first] += d
	}
	return slices.Max(free)
}
