package dispatch_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// mortal is a Batch during whose first recall something dies.
type mortal struct {
	*handler.Batch
	die, end sync.Once
	kill     func()
	ended    chan struct{} // closed when the first call of Handle has returned
}

func (m *mortal) Recall() {
	if m.Excess() {
		m.die.Do(m.kill)
	}
	m.Batch.Recall()
}

func (m *mortal) Handle(ctx context.Context, items []queue.Item, report func(int, handler.Attempt)) {
	m.Batch.Handle(ctx, items, report)
	m.end.Do(func() { close(m.ended) })
}

// TestRedisDiesDuringRecall kills Redis while a program is held up by an item, with a portion of large ones before it, and the worker
// recalls the items behind it. Redis comes back as it was when it was saved, before or after the program has ended.
// Programs must get whole items only, and each item is done once.
func TestRedisDiesDuringRecall(t *testing.T) {
	for _, saved := range []string{"seeded", "leased", "recalled"} {
		for _, first := range []string{"Redis is back", "the program ends"} {
			t.Run(fmt.Sprintf("saved when %s, first %s", saved, first), func(t *testing.T) {
				t.Parallel()
				redisDiesDuringRecall(t, saved, first)
			})
		}
	}
}

func redisDiesDuringRecall(t *testing.T, saved, first string) {
	const program = `cd "$0"; n=0
while IFS= read -r item; do
	n=$((n + 1))
	case $item in slow*) touch there; until [ -e ../go ]; do sleep 0.02; done ;; esac
	printf '%s\n' "$item" >>log.$$
	echo "$n done" >&3
done`
	server := redistest.Start(t)
	client := server.Client()
	defer client.Close()
	save := func(when string) {
		if when == saved {
			if err := client.Save(t.Context()).Err(); err != nil {
				t.Error(err)
			}
		}
	}
	q := queue.New(client, "job2")
	seeder := q.NewSeeder("s")
	got := map[string]bool{} // by item, whether a program got it
	for i := range 40 {
		item := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 2000))
		switch i {
		case 3, 12:
			item = strings.Repeat(item, 35)
		case 6:
			item = "slow"
		}
		got[item] = false
		if err := seeder.Add(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := seeder.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	save("seeded")

	dir := t.TempDir()
	results := make(chan error, 2)
	start := func(name string, kill func()) *mortal {
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		m := &mortal{kill: kill, ended: make(chan struct{}), Batch: &handler.Batch{Size: 40, Delimiter: '\n',
			Command: handler.Command{Args: []string{"sh", "-c", program, folder}, Output: &process.Output{Out: io.Discard, Err: os.Stderr}}}}
		w := &dispatch.Worker{Queue: q, Handler: m, Log: slog.New(slog.DiscardHandler), Name: dispatch.NewName(name),
			Policy: dispatch.Policy{Slots: 1, Fill: 40, MaxAttempts: 1, UnreachableTimeout: time.Minute,
				Limits: queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3}}}
		go func() { results <- w.Run(t.Context()) }()
		return m
	}
	killed := make(chan struct{})
	holder := start("holder", func() {
		save("recalled")
		server.Kill()
		close(killed)
	})
	redistest.Eventually(t, "the program is held up", func() error {
		_, err := os.Stat(filepath.Join(dir, "holder", "there"))
		return err
	})
	save("leased")
	start("other", func() {})
	<-killed
	goOn := func() {
		if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case first == "the program ends":
		goOn()
		<-holder.ended
		server.Restart()
	case saved == "seeded":
		server.Restart()
		<-holder.ended // its lease is lost
		goOn()
	default:
		server.Restart()
		redistest.Eventually(t, "what was recalled is returned", func() error {
			if c, err := q.Counts(t.Context()); err != nil || c.Returned == 0 {
				return fmt.Errorf("%+v, %w", c, err)
			}
			return nil
		})
		goOn()
	}
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}

	if c, err := q.Counts(t.Context()); err != nil || c.Done != 40 || !c.Drained() || !c.Consistent() {
		t.Errorf("%+v, %v", c, err)
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "*", "log.*"))
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			item := strings.TrimSuffix(line, "\n")
			if _, known := got[item]; !known {
				t.Errorf("%s: %.20q of %d bytes is no item", log, item, len(item))
			}
			got[item] = true
		}
	}
	for item, ok := range got {
		if !ok {
			t.Errorf("no program got %.20q", item)
		}
	}
}
