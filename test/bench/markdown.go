package main

import (
	"fmt"
	"slices"
	"strings"
)

// page is a growing Markdown text.
type page struct{ strings.Builder }

func (p *page) line(format string, values ...any) { fmt.Fprintf(p, format+"\n", values...) }

func (r *report) markdown() string {
	p := &page{}
	p.line("# Benchmarks")
	p.line("")
	p.line("%s, %s, %s; %.1f minutes. Payloads of 16 bytes, handlers that do nothing, one worker process, Redis on the same "+
		"machine. All ratios are of runs in the same round; figures are medians, in brackets the least and the most.", r.Date, r.Machine, r.Versions, r.Minutes)
	p.line("\n| part | load of the minute before | cores that other programs used | rounds repeated for that |\n|---|---:|---:|---:|")
	for _, c := range r.Conditions {
		p.line("| %s | %s | %.2f | %d |", c.Part, c.Load, c.Others, c.Repeated)
	}
	if r.Quick {
		p.line("\nThis was a quick run: the figures are rough.")
	}
	p.goals(r.Goals)
	if r.Loopback != nil {
		p.contest("Drain, with Redis at loopback", r.Loopback)
	}
	if r.Millisecond != nil {
		p.contest("Drain, behind a proxy that adds a millisecond to each round trip", r.Millisecond)
	}
	if r.Seed != nil {
		p.seed(r.Seed)
	}
	if r.Large != nil {
		p.large(r.Large)
	}
	if r.Crowd != nil {
		p.crowd(r.Crowd)
	}
	if r.Load != nil {
		p.load(r.Load)
	}
	if r.Recovery != nil {
		p.recovery(r.Recovery)
	}
	if r.Makespans != nil {
		p.makespans(r.Makespans)
	}
	return p.String()
}

func (p *page) goals(goals []Goal) {
	if len(goals) == 0 {
		return
	}
	p.line("\n## Goals\n")
	p.line("| | goal | found | |")
	p.line("|---|---|---|---|")
	for _, g := range goals {
		met := "**missed**"
		if g.Met {
			met = "met"
		}
		p.line("| %s | %s | %s | %s |", g.Name, g.Goal, g.Text, met)
	}
}

func (p *page) contest(title string, standings []*Standing) {
	p.line("\n## %s\n", title)
	p.line("| queue | items/s | workqueue is | Redis CPU per item | settings | items a run |")
	p.line("|---|---:|---:|---:|---|---:|")
	for _, s := range standings {
		name := strings.TrimSpace(s.Name + " " + strings.TrimPrefix(s.Version, "v"))
		if s.Failed != "" {
			p.line("| %s | failed | | | %s | |", name, s.Failed)
			continue
		}
		if s.Ours {
			name = "**" + name + "**"
		}
		p.line("| %s | %s | %s × | %.2f µs | %s: %s | %s |", name, spread(s.Rates, thousands), ratio(s.OursToIt),
			median(s.RedisMicros), s.Language, s.Settings, thousands(float64(s.Items)))
	}
	own := standings[1]
	if own.Failed == "" {
		p.line("\nWhile workqueue drains, Redis uses a core for %.0f %% of the time, and %.2f µs an item; its scripts take %.2f µs an "+
			"item by the clock, which also runs while others have the core. The floor uses a core for %.0f %% of the time.",
			100*median(own.Busy), median(own.RedisMicros), median(own.Script), 100*median(standings[0].Busy))
	}
}

func (p *page) seed(m *Seeding) {
	p.line("\n## Seed\n")
	p.line("%s items, by pipelined RPUSH of 1000 values each through the same client.\n", thousands(float64(m.Items)))
	p.line("| | items/s | memory of Redis per waiting item |")
	p.line("|---|---:|---:|")
	p.line("| raw RPUSH | %s | %.2f bytes |", spread(m.Raw, thousands), median(m.RawBytes))
	p.line("| **workqueue** | %s | %.2f bytes |", spread(m.Ours, thousands), median(m.OursBytes))
	p.line("\nRatio: %s.", spread(ratios(m.Ours, m.Raw), percent))
}

func (p *page) large(m *Large) {
	p.line("\n## %s items\n", thousands(float64(m.Items)))
	p.line("| | seconds | items/s | peak RSS of the process |")
	p.line("|---|---:|---:|---:|")
	p.line("| seed | %.1f | %s | %s |", m.SeedSeconds, thousands(float64(m.Items)/m.SeedSeconds), mib(float64(m.SeederRSS)))
	p.line("| drain | %.1f | %s | %s |", m.Seconds, thousands(float64(m.Items)/m.Seconds), mib(float64(m.WorkerRSS)))
	p.line("\nRedis: peak RSS %s, of which data %s (%.1f bytes an item); %.2f µs of processor time per item drained.",
		mib(float64(m.RedisRSS)), mib(m.RedisMemory), m.RedisMemory/float64(m.Items), m.RedisMicros)
}

func (p *page) crowd(m *Crowd) {
	p.line("\n## Ten thousand workers idle, a hundred busy\n")
	p.line("Each worker has a connection of its own. The busy ones have items of %v, on another queue of the same Redis: they do "+
		"%s items/s, %s at most if leasing took no time.\n", busyItem, thousands(m.DoneRate), thousands(m.MaxRate))
	p.line("| | calls/s | Redis CPU, of one core | an exchange, p50 | p99 |")
	p.line("|---|---:|---:|---:|---:|")
	p.line("| %d idle | %s | %s | %.2f ms | %.2f ms |", idleWorkers, thousands(m.Idle.PerSecond), percent(m.Idle.RedisCPU), m.Idle.P50, m.Idle.P99)
	p.line("| %d idle, %d busy | %s | %s | %.2f ms | %.2f ms |", idleWorkers, busyWorkers, thousands(m.Busy.PerSecond), percent(m.Busy.RedisCPU), m.Busy.P50, m.Busy.P99)
	p.line("\nA single item that is pushed while all are idle is leased after %.1f ms (median of %d; at most %.1f), and costs Redis %.2f ms beside what the idle "+
		"workers cost. When the empty queue is sealed, the last idle worker has ended after %.1f s.", median(m.Started), len(m.Started), slices.Max(m.Started),
		m.PushMillis, m.EndSeconds)
}

func (p *page) load(all []*Load) {
	p.line("\n## %s items, %d workers\n", thousands(float64(all[0].Items)), loadWorkers)
	p.line("Each worker has a connection of its own, one slot, and items of %v.\n", loadItem)
	p.line("| | seconds | items/s | calls/s | Redis CPU, of one core | an exchange, p50 | p99 | Redis' memory, all waiting | at most |")
	p.line("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, m := range all {
		name := "one queue"
		if m.Queues > 1 {
			name = fmt.Sprintf("%d queues at once", m.Queues)
		}
		p.line("| %s | %.1f | %s | %s | %s | %.2f ms | %.2f ms | %s | %s |", name, m.Seconds, thousands(float64(m.Items)/m.Seconds),
			thousands(m.Calls.PerSecond), percent(m.Calls.RedisCPU), m.Calls.P50, m.Calls.P99, mib(m.Memory), mib(m.Peak))
	}
}

func (p *page) recovery(m *Recovery) {
	p.line("\n## Recovery\n")
	p.line("From SIGKILL of a worker to its item running again in another one, with a lease of %.0f s: %s in %d trials.",
		m.Lease, spread(m.Seconds, func(s float64) string { return fmt.Sprintf("%.2f s", s) }), len(m.Seconds))
}

func (p *page) makespans(all []*Makespan) {
	p.line("\n## Makespan\n")
	p.line("Items only sleep. Workers have one slot each, batches have %d items. The makespan runs from the start of the workers to the end "+
		"of the last item, and is divided by that of a central greedy queue without any cost. In brackets: the longest time in which an "+
		"item waited although a slot was idle. Bold: above %.1f × or %v.\n", makespanBatch, makespanLimit, waitLimit)
	heading, rule := "| items | slots | greedy |", "|---|---:|---:|"
	for _, f := range all[0].Finishes {
		heading += " " + f.Name + " |"
		rule += "---:|"
	}
	p.line("%s\n%s", heading, rule)
	for _, m := range all {
		row := fmt.Sprintf("| %s: %s | %d | %.1f s |", m.Workload, thousands(float64(m.Items)), m.Workers, m.Greedy)
		for _, f := range m.Finishes {
			text := fmt.Sprintf("%.2f × (%.1f s)", f.Seconds/m.Greedy, f.Waited)
			switch {
			case f.Failed != "":
				text = f.Failed
			case f.Ours && !m.met(f):
				text = "**" + text + "**"
			}
			row += " " + text + " |"
		}
		p.line("%s", row)
	}
}

// spread is the median, with the least and the most.
func spread(figures []float64, text func(float64) string) string {
	if len(figures) < 2 {
		return text(median(figures))
	}
	return fmt.Sprintf("%s (%s–%s)", text(median(figures)), text(slices.Min(figures)), text(slices.Max(figures)))
}

func percent(part float64) string { return fmt.Sprintf("%.0f %%", 100*part) }

func mib(bytes float64) string { return fmt.Sprintf("%.0f MiB", bytes/(1<<20)) }

func ratio(x float64) string {
	if x < 10 {
		return fmt.Sprintf("%.2f", x)
	}
	return thousands(x)
}

// thousands groups the digits of a whole number.
func thousands(x float64) string {
	digits := fmt.Sprintf("%.0f", x)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}
