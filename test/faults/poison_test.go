package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// TestPoison runs one item that kills its worker beside harmless ones. The poisonous item must be dead, the others done.
func TestPoison(t *testing.T) {
	payloads := make([]string, 200)
	for i := range payloads {
		payloads[i] = fmt.Sprintf("item-%d", i)
	}
	payloads[50] = "poison-50"
	job, q := smallJob(t, payloads, 2, []string{"WQ_CONCURRENCY=4", "WQ_MAX_CRASHES=2", "WQ_LEASE=1s", "WQ_MAX_DEAD=1",
		"WQ_COMMAND=" + toJSON(t, []string{"/bin/sh", "-c", "sleep 0.05\n" + each, "item", "{}"})})
	job.start()
	counts, runs := smallEnd(t, job, q)
	dead := ""
	if err := q.DeadLetters(context.Background(), func(r queue.Record) bool { dead += r.Payload; return true }); err != nil {
		t.Fatal(err)
	}
	if counts.Done != len(payloads)-1 || dead != "poison-50" {
		t.Errorf("dead: %s; %+v", dead, counts)
	}
	for _, p := range payloads {
		if p != dead && runs[p] == 0 {
			t.Errorf("%s counts as done, but was never run to its end", p)
		}
	}
	// Two crashes beside other items, and two alone.
	if starts := job.started(); starts > 2+4 {
		t.Errorf("%d workers were started: the item took down more than four", starts)
	}
}

// smallJob seeds items and prepares workers for them.
func smallJob(t *testing.T, payloads []string, pods int, env []string) (*job, *queue.Queue) {
	server := redistest.Start(t)
	client := server.Client()
	t.Cleanup(func() { _ = client.Close() })
	job := newJob(t, server, pods)
	job.env(env...)
	path := filepath.Join(t.TempDir(), "items.json")
	if err := os.WriteFile(path, []byte(toJSON(t, payloads)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := job.worker("seed", "seeder", server.Addr, "WQ_ITEMS_FILE="+path).Run(); err != nil {
		t.Fatalf("seed: %v\n%s", err, job.lastWords())
	}
	return job, queue.New(client, queueName)
}

// smallEnd waits for the end of a job. It returns the queue's counts, and how often each item ran to its end.
func smallEnd(t *testing.T, job *job, q *queue.Queue) (queue.Counts, map[string]int) {
	for deadline := time.Now().Add(time.Minute); !job.ended() && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	job.stop()
	for _, problem := range job.problems() {
		t.Error(problem)
	}
	counts, err := q.Counts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !counts.Drained() || !counts.Consistent() {
		t.Errorf("the queue is not drained, or its accounts do not balance: %+v", counts)
	}
	text, err := os.ReadFile(job.runs)
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]int{}
	for line := range strings.Lines(string(text)) {
		runs[strings.TrimSpace(line)]++
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the workers wrote:\n%s", job.lastWords())
		}
	})
	return counts, runs
}
