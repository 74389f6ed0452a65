package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

const (
	makespanLimit  = 1.1             // of the central greedy queue
	waitLimit      = 3 * time.Second // behind another item, while a slot is idle
	exitLimit      = 200 * time.Millisecond
	makespanBatch  = 10              // items of one process in batch mode
	makespanEndure = 5 * time.Minute // for one run
)

// Makespan is the time that some workers take for a list of sleeping items.
type Makespan struct {
	Workload string     `json:"workload"`
	Workers  int        `json:"workers"` // with one slot each
	Items    int        `json:"items"`
	Greedy   float64    `json:"greedy_seconds"` // of the central greedy queue, computed
	Load     string     `json:"load"`
	Finishes []Finished `json:"finishes"`
}

// Finished is one contender's run.
type Finished struct {
	Name    string  `json:"name"`
	Ours    bool    `json:"ours"`
	Seconds float64 `json:"seconds"` // from the start of the workers to the end of the last item
	// Waited is the longest time, in seconds, in which there were both an item that had not started and an idle slot.
	Waited float64 `json:"waited_seconds"`
	Exit   float64 `json:"exit_seconds"` // from the end of the last item to that of the last worker
	Again  int     `json:"again"`        // runs of items that had run before
	Failed string  `json:"failed,omitempty"`
}

// contender runs a list of items. Commands returns the processes to start once the list is in the file, and in Redis.
type contender struct {
	name     string
	ours     bool
	commands func(m *makespanRun) [][]string
}

var (
	makespanOurs = []contender{
		oursIn("exec", "one", "{}"), oursIn("batch", "batch"), oursIn("stream", "stream"),
	}
	makespanOthers = []contender{
		{name: "LPOP one by one", commands: func(m *makespanRun) [][]string {
			return slices.Repeat([][]string{append([]string{"env", "BENCH_ADDR=" + m.addr, "BENCH_QUEUE=" + m.list}, goProgram("lpop", "each")...)}, m.slots)
		}},
		{name: "xargs -P", commands: func(m *makespanRun) [][]string {
			return [][]string{append([]string{"xargs", "-a", m.file, "-n", "1", "-P", fmt.Sprint(m.slots)}, goProgram("sleeper", "one")...)}
		}},
		{name: "GNU parallel", commands: func(m *makespanRun) [][]string {
			return [][]string{append([]string{"parallel", "-a", m.file, "-j", fmt.Sprint(m.slots)}, goProgram("sleeper", "one")...)}
		}},
	}
)

// oursIn returns the worker's binary with the sleeper in one of the modes.
func oursIn(mode string, words ...string) contender {
	return contender{name: "workqueue, " + mode, ours: true, commands: func(m *makespanRun) [][]string {
		command, _ := json.Marshal(goProgram("sleeper", words...))
		return slices.Repeat([][]string{append([]string{"env", "WQ_REDIS_URL=redis://" + m.addr, "WQ_QUEUE=" + m.list, "WQ_LOG_LEVEL=warn",
			"WQ_MODE=" + mode, fmt.Sprint("WQ_BATCH_SIZE=", makespanBatch), "WQ_COMMAND=" + string(command)}, goProgram("worker", "work")...)}, m.slots)
	}}
}

// makespanRun is one run of one contender.
type makespanRun struct {
	addr, list string // the list in Redis
	file, log  string
	slots      int
}

func measureMakespan(ctx context.Context, s *server, sizes scale) ([]*Makespan, error) {
	others := slices.Clone(makespanOthers)
	if _, err := exec.LookPath("parallel"); err != nil {
		others = slices.DeleteFunc(others, func(c contender) bool { return c.name == "GNU parallel" })
	}
	var all []*Makespan
	for _, workers := range []int{4, 8} {
		for _, w := range workloads(workers, sizes.makespan) {
			if !strings.Contains(w.name, os.Getenv("BENCH_LIST")) {
				continue
			}
			m := &Makespan{Workload: w.name, Workers: workers, Items: len(w.items), Greedy: w.greedy(workers).Seconds(), Load: load()}
			for _, together := range [][]contender{makespanOurs, others} {
				finishes, err := m.race(ctx, s, w, together)
				if err != nil {
					return all, err
				}
				m.Finishes = append(m.Finishes, finishes...)
			}
			all = append(all, m)
		}
	}
	return all, nil
}

// race runs some contenders at the same time, each with slots of its own: sleeping takes no processor.
func (m *Makespan) race(ctx context.Context, s *server, w workload, contenders []contender) ([]Finished, error) {
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	finishes := make([]Finished, len(contenders))
	var running sync.WaitGroup
	for i, c := range contenders {
		running.Go(func() {
			finishes[i] = Finished{Name: c.name, Ours: c.ours}
			if err := finishes[i].run(ctx, s, w, c, m.Workers); err != nil {
				finishes[i].Failed = err.Error()
			}
		})
	}
	running.Wait()
	for _, f := range finishes {
		log.Printf("  %-16s %d × %-18s %5.2f s = %.2f × greedy, waited %.2f s, gone after %.2f s %s", m.Workload, m.Workers, f.Name,
			f.Seconds, f.Seconds/m.Greedy, f.Waited, f.Exit, f.Failed)
	}
	return finishes, ctx.Err()
}

func (f *Finished) run(ctx context.Context, s *server, w workload, c contender, slots int) error {
	dir, err := os.MkdirTemp("", "workqueue-makespan-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m := &makespanRun{addr: s.addr, list: c.name, file: filepath.Join(dir, "items"), log: filepath.Join(dir, "log"), slots: slots}
	if err := m.seed(ctx, s, w, c.ours); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, makespanEndure)
	defer cancel()
	started := time.Now()
	if err := runAll(ctx, c.commands(m), "SLEEPER_LOG="+m.log); err != nil {
		return err
	}
	ended := time.Now()
	runs, err := readSleeperLog(m.log)
	if err != nil {
		return err
	}
	items := map[int]bool{}
	for _, r := range runs {
		items[r.item] = true
	}
	if len(items) != len(w.items) {
		return fmt.Errorf("%d of %d items were run", len(items), len(w.items))
	}
	last := slices.MaxFunc(runs, func(a, b sleeperRun) int { return a.end.Compare(b.end) }).end
	f.Seconds, f.Exit, f.Again = last.Sub(started).Seconds(), ended.Sub(last).Seconds(), len(runs)-len(items)
	f.Waited = waited(runs, slots).Seconds()
	return nil
}

// seed puts the items where the contender finds them.
func (m *makespanRun) seed(ctx context.Context, s *server, w workload, ours bool) error {
	seeder := queue.New(s.client, m.list).NewSeeder("makespan")
	var text bytes.Buffer
	for i, d := range w.items {
		item := fmt.Sprintf("%d:%d", i, d.Milliseconds())
		fmt.Fprintln(&text, item)
		var err error
		if ours {
			err = seeder.Add(ctx, item)
		} else {
			err = s.client.RPush(ctx, m.list, item).Err()
		}
		if err != nil {
			return err
		}
	}
	if ours {
		if _, _, err := seeder.Publish(ctx, true); err != nil {
			return err
		}
	}
	if err := os.WriteFile(m.file, text.Bytes(), 0o600); err != nil {
		return err
	}
	return os.WriteFile(m.log, nil, 0o600)
}

// runAll runs command lines at the same time, and returns when all have ended.
func runAll(ctx context.Context, commands [][]string, variable string) error {
	failures := make(chan error, len(commands))
	var running sync.WaitGroup
	for _, words := range commands {
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = io.Discard, &stderr
		cmd.Env = append(os.Environ(), variable)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return err
		}
		running.Go(func() {
			if err := cmd.Wait(); err != nil {
				failures <- fmt.Errorf("%s: %w: %s", words[0], err, lastLine(stderr.String()))
			}
		})
	}
	running.Wait()
	close(failures)
	return <-failures
}

// sleeperRun is a line of the sleepers' log.
type sleeperRun struct {
	item       int
	start, end time.Time
}

func readSleeperLog(path string) (runs []sleeperRun, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		var item int
		var start, end int64
		if _, err := fmt.Sscan(line, &item, &start, &end); err != nil {
			return nil, fmt.Errorf("the sleepers' log: %q: %w", line, err)
		}
		runs = append(runs, sleeperRun{item, time.Unix(0, start), time.Unix(0, end)})
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("no item was run")
	}
	return runs, nil
}

// waited returns the longest unbroken time in which a slot was idle while an item had not started. All items are there from the
// beginning, so that item waited for no good reason.
func waited(runs []sleeperRun, slots int) (longest time.Duration) {
	type change struct {
		at time.Time
		by int
	}
	var changes []change
	lastStart := runs[0].start
	for _, r := range runs {
		changes = append(changes, change{r.start, 1}, change{r.end, -1})
		if r.start.After(lastStart) {
			lastStart = r.start
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(b.by, a.by)) })
	running, idleSince := 0, changes[0].at
	for _, c := range changes {
		if running < slots {
			longest = max(longest, min(c.at.Sub(idleSince), lastStart.Sub(idleSince)))
		}
		if running += c.by; running == slots-1 && c.by < 0 {
			idleSince = c.at
		}
	}
	return longest
}

func (m *Makespan) met(f Finished) bool {
	return f.Failed == "" && f.Seconds <= makespanLimit*m.Greedy && f.Waited <= waitLimit.Seconds()
}

// worst returns the worst of the worker's figures, as a multiple of greedy's makespan and in seconds.
func worst(all []*Makespan) (ratio, waited, exit float64) {
	for _, m := range all {
		for _, f := range m.Finishes {
			if !f.Ours {
				continue
			}
			if f.Failed != "" {
				return math.Inf(1), math.Inf(1), math.Inf(1)
			}
			ratio, waited, exit = max(ratio, f.Seconds/m.Greedy), max(waited, f.Waited), max(exit, f.Exit)
		}
	}
	return ratio, waited, exit
}
