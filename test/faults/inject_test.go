package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/redistest"
)

// kind is one kind of fault.
type kind struct {
	name   string
	weight int
	do     func(progress float64) bool // false if there was nothing to break
	times  int
}

// faults injects faults, one after another; some overlap.
type faults struct {
	t      *testing.T
	random *rand.Rand
	server *redistest.Server
	job    *job
	kinds  []*kind
	toxics int
	lasts  sync.WaitGroup // what heals by itself after a while

	seedersKilled int
}

func newFaults(t *testing.T, random *rand.Rand, server *redistest.Server, j *job) *faults {
	f := &faults{t: t, random: random, server: server, job: j}
	f.kinds = []*kind{
		{name: "workers killed", weight: 10, do: f.killWorker},
		{name: "workers frozen past their lease", weight: 4, do: f.freezeWorker},
		{name: "workers told to stop", weight: 4, do: f.stopWorker},
		{name: "Redis killed", weight: 2, do: f.killRedis},
		{name: "Redis killed, its last second lost", weight: 1, do: f.losePower},
		{name: "Redis frozen", weight: 2, do: f.freezeRedis},
		{name: "links cut", weight: 4, do: f.cut},
		{name: "links slowed", weight: 4, do: f.toxic(`{"type":"latency","attributes":{"latency":300,"jitter":200}}`, time.Second, 3*time.Second)},
		{name: "links choked", weight: 2, do: f.toxic(`{"type":"bandwidth","attributes":{"rate":20}}`, time.Second, 3*time.Second)},
		{name: "links silenced", weight: 3, do: f.toxic(`{"type":"timeout","attributes":{"timeout":0}}`, time.Second, 4*time.Second)},
		{name: "links reset", weight: 4, do: f.toxic(`{"type":"reset_peer","attributes":{"timeout":0}}`, 200*time.Millisecond, time.Second)},
		{name: "replies lost", weight: 6, do: f.toxic(`{"type":"limit_data","attributes":{"bytes":700}}`, 200*time.Millisecond, time.Second)},
		{name: "calls delivered late", weight: 1, do: f.toxic(`{"type":"latency","stream":"upstream","attributes":{"latency":12000}}`, 11*time.Second, 13*time.Second)},
	}
	return f
}

// next injects a fault and waits for a while.
func (f *faults) next(progress float64) {
	total := 0
	for _, k := range f.kinds {
		total += k.weight
	}
	n := f.random.IntN(total)
	for _, k := range f.kinds {
		if n -= k.weight; n < 0 {
			f.job.words.say(fmt.Sprintf("--- at %.0f %%: %s", 100*progress, k.name))
			if k.do(progress) {
				k.times++
			}
			break
		}
	}
	// With fewer workers, each of them gets more of the faults.
	pods := time.Duration(len(f.job.pods))
	f.pause(800*time.Millisecond/pods, 3600*time.Millisecond/pods)
}

// heal waits until every fault is undone.
func (f *faults) heal() { f.lasts.Wait() }

func (f *faults) between(least, most time.Duration) time.Duration {
	return least + time.Duration(f.random.Int64N(int64(most-least)))
}

func (f *faults) pause(least, most time.Duration) { time.Sleep(f.between(least, most)) }

// later undoes a fault after a while; other faults go on meanwhile.
func (f *faults) later(after time.Duration, undo func()) {
	f.lasts.Go(func() {
		time.Sleep(after)
		undo()
	})
}

func (f *faults) pod() *pod { return f.job.pods[f.random.IntN(len(f.job.pods))] }

// seed fills the queue and kills the seeder a few times on the way.
func (f *faults) seed(payloads []string) {
	path := filepath.Join(f.t.TempDir(), "items.json")
	if err := os.WriteFile(path, []byte(toJSON(f.t, payloads)), 0o644); err != nil {
		f.t.Fatal(err)
	}
	for {
		cmd := f.job.worker("seed", "seeder", f.server.Addr, "WQ_ITEMS_FILE="+path)
		if err := cmd.Start(); err != nil {
			f.t.Fatal(err)
		}
		if f.seedersKilled < 5 {
			time.Sleep(f.between(time.Millisecond, 60*time.Millisecond))
			_ = cmd.Process.Kill()
			f.seedersKilled++
		}
		if err := cmd.Wait(); err == nil {
			return
		} else if cmd.ProcessState.ExitCode() > 0 {
			f.t.Fatalf("seed: %v\n%s", err, f.job.lastWords())
		}
	}
}

func (f *faults) killWorker(float64) bool { return f.pod().signal(syscall.SIGKILL) }

func (f *faults) stopWorker(float64) bool { return f.pod().signal(syscall.SIGTERM) }

func (f *faults) freezeWorker(float64) bool {
	p := f.pod()
	if !p.signal(syscall.SIGSTOP) {
		return false
	}
	f.later(f.between(2500*time.Millisecond, 4*time.Second), func() { p.signal(syscall.SIGCONT) })
	return true
}

func (f *faults) killRedis(float64) bool {
	f.server.Kill()
	f.pause(100*time.Millisecond, 2*time.Second)
	f.server.Restart()
	return true
}

// losePower kills Redis and discards everything of the last second, which Redis may not have written to disk yet. It must not
// happen after workers have learned that the queue is drained: they are gone then.
func (f *faults) losePower(progress float64) bool {
	if progress == 0 || progress > 0.9 {
		return false
	}
	files, _ := filepath.Glob(filepath.Join(f.server.Dir, "appendonlydir", "*.incr.aof"))
	if len(files) != 1 {
		f.t.Fatalf("append-only files: %v", files)
	}
	before, err := os.Stat(files[0])
	if err != nil {
		f.t.Fatal(err)
	}
	time.Sleep(time.Second)
	f.server.Kill()
	if err := os.Truncate(files[0], before.Size()); err != nil {
		f.t.Fatal(err)
	}
	f.server.Restart()
	return true
}

func (f *faults) freezeRedis(float64) bool {
	_ = syscall.Kill(f.server.Process(), syscall.SIGSTOP)
	f.pause(500*time.Millisecond, 3*time.Second)
	_ = syscall.Kill(f.server.Process(), syscall.SIGCONT)
	return true
}

func (f *faults) cut(float64) bool {
	p := f.pod()
	p.link.Stop()
	f.later(f.between(200*time.Millisecond, 4*time.Second), func() { _ = p.link.Start() })
	return true
}

// toxic returns a fault that disturbs one worker's link for some time.
func (f *faults) toxic(config string, least, most time.Duration) func(float64) bool {
	return func(float64) bool {
		p := f.pod()
		f.toxics++
		name := fmt.Sprint("toxic", f.toxics)
		_, err := p.link.Toxics.AddToxicJson(strings.NewReader(strings.Replace(config, "{", `{"name":"`+name+`",`, 1)))
		if err != nil {
			f.t.Fatal(err)
		}
		f.later(f.between(least, most), func() { _ = p.link.Toxics.RemoveToxic(context.Background(), name) })
		return true
	}
}
