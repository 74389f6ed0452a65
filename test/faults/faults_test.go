// Package faults runs real workers on a real Redis and breaks everything around them: workers are killed, frozen past
// their leases and told to stop; Redis is killed, frozen, and loses its last second; links are cut, slowed, silenced and
// reset. A log outside Redis has every run of an item; at the end it is compared with the counts in Redis.
package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// The command of each item. It writes a line when the item is complete, so a missing line is an item that never ran to its end. A liar
// never does, and says what looks like done.
const each = `
case $1 in
poison*) kill -9 $PPID; exit ;;
slow*) sleep 2.5 ;; # longer than a lease
liar*) printf '{"id":"1","status":"done"' >&3; exit ;; # the line has no end
esac
echo '{"level":"info","id":"1","status":"done"}' # a log line that looks like a message
echo "$1" >>"$RUNS"
case $1 in
bad*) exit 1 ;;
flaky*) [ "$WQ_ATTEMPT" -gt 1 ] ;;
parent*) printf '1 push %s\n' "child-a-$1" "child-b-$1" >&3 ;;
esac
`

// The same for many items at once. It leaves parents to others.
const many = `
n=0
while read -r item; do
  n=$((n + 1))
  case $item in
  poison*) kill -9 $PPID; exit ;;
  slow*) sleep 2.5 ;;
  parent*) echo "$n snoozed" >&3; continue ;;
  liar*) echo "$n done$n done" >&3; cat >/dev/null; exit ;; # two messages on one line
  esac
  echo "$n done"
  echo "$item" >>"$RUNS"
  case $item in bad*) echo "$n failed" ;; *) echo "$n done" ;; esac >&3
done
`

// The same as a stream program.
const stream = `
while IFS= read -r line; do
  id=${line#*'"id":"'} item=${line#*'"item":"'} attempt=${line#*'"attempt":'}
  id=${id%%'"'*} item=${item%%'"'*} attempt=${attempt%%[!0-9]*} status=done push=
  case $item in
  poison*) kill -9 $PPID; exit ;;
  slow*) sleep 2.5 ;;
  liar*) printf '{"id":"%s","status":"done"} {"level":"info"}\n' "$id" >&3; sleep 60 ;; # a log on the descriptor
  esac
  printf '{"level":"info","id":"%s","status":"done"}\n' "$id"
  echo "$item" >>"$RUNS"
  case $item in
  bad*) status=failed ;;
  flaky*) [ "$attempt" -gt 1 ] || status=failed ;;
  parent*) push='"child-a-'$item'","child-b-'$item'"' ;;
  esac
  case $status in
  failed) echo "$id failed" ;;
  *) echo "{\"id\":\"$id\",\"status\":\"done\",\"push\":[$push]}" ;;
  esac >&3
done
`

const (
	queueName   = "job2"
	maxAttempts = 2
)

func TestFaults(t *testing.T) {
	run(t, setting(t, "FAULTS_ITEMS", 20000), setting(t, "FAULTS_WORKERS", 4), time.Minute)
}

// TestFaultsAlone has a single worker: no other takes over what it loses.
func TestFaultsAlone(t *testing.T) { run(t, setting(t, "FAULTS_ITEMS", 20000)/20, 1, 30*time.Second) }

// run injects faults for FAULTS_SECONDS, or for the given time. Whatever they were, the run must end well afterwards.
func run(t *testing.T, items, pods int, storm time.Duration) {
	storm = time.Duration(setting(t, "FAULTS_SECONDS", int(storm.Seconds()))) * time.Second
	seed := setting(t, "FAULTS_SEED", int(time.Now().Unix()))
	limit := 2*time.Minute + time.Duration(items)*20*time.Millisecond
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	payloads := makeItems(items)

	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	client := server.Client()
	defer client.Close()
	q := queue.New(client, queueName)
	job := newJob(t, server, pods)
	job.env("WQ_LEASE=2s", "WQ_CONCURRENCY=4", "WQ_GRACE=1s", "WQ_REDIS_UNREACHABLE_TIMEOUT=30s",
		"WQ_BACKOFF_INITIAL=100ms", fmt.Sprintf("WQ_MAX_ATTEMPTS=%d", maxAttempts),
		// With fewer workers, a harmless item is more often in one that is hit.
		fmt.Sprintf("WQ_MAX_CRASHES=%d", 6+4/pods),
		"WQ_STOP_AFTER_DEAD=0", fmt.Sprintf("WQ_MAX_DEAD=%d", items),
		"WQ_FINALLY="+toJSON(t, []string{"/bin/sh", "-c", `sleep 1; echo "$WQ_RUN_STATE $WQ_RUN_OPEN" >>"$RUNS.last"`}))
	for i, p := range job.pods {
		switch i % 4 {
		case 1:
			p.env = []string{"WQ_MODE=batch", "WQ_BATCH_SIZE=20", "WQ_COMMAND=" + toJSON(t, []string{"/bin/sh", "-c", many})}
		case 2:
			p.env = []string{"WQ_MODE=stream", "WQ_IN_FLIGHT=3", "WQ_COMMAND=" + toJSON(t, []string{"/bin/sh", "-c", stream})}
		default:
			p.env = []string{"WQ_COMMAND=" + toJSON(t, []string{"/bin/sh", "-c", each, "item", "{}"})}
		}
	}

	faults := newFaults(t, random, server, job)
	faults.seed(payloads)
	began := time.Now()
	job.start()
	for !job.ended() && time.Since(began) < storm {
		faults.next(progress(q, items))
	}
	faults.heal()
	for !job.ended() && time.Since(began) < storm+limit {
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	job.stop()
	for _, problem := range job.problems() {
		t.Error(problem)
	}

	counts, err := q.Counts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	dead := map[string]int{}
	if err := q.DeadLetters(context.Background(), func(r queue.Record) bool { dead[r.Payload]++; return true }); err != nil {
		t.Fatal(err)
	}
	pushed := children(payloads)
	runs := readRuns(t, job.runs, append(payloads, pushed...))
	if counts.Pushed() != len(pushed) {
		t.Errorf("%d items were pushed, want %d: two for each parent, however often it ran", counts.Pushed(), len(pushed))
	}
	lastSteps, err := os.ReadFile(job.runs + ".last")
	if err != nil || counts.LastStep != queue.LastStepDone || strings.ReplaceAll(string(lastSteps), "drained 0\n", "") != "" {
		t.Errorf("the last step is %q, and said %q: it must run after the last item, and succeed (%v)", counts.LastStep, lastSteps, err)
	}
	result := judge(t, append(payloads, pushed...), len(payloads), counts, dead, runs)

	var report bytes.Buffer
	table := tabwriter.NewWriter(&report, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(table, "  %s\t%v\n", name, value) }
	row("items", items)
	row("workers", pods)
	row("time", took.Round(time.Second))
	for _, f := range faults.kinds {
		row(f.name, f.times)
	}
	row("seeders killed", faults.seedersKilled)
	row("workers started", job.started())
	row("leases expired", counts.Expired)
	row("runs", runs.total)
	row("runs too many", fmt.Sprintf("%d (%.2f %%)", runs.again, 100*float64(runs.again)/float64(items)))
	row("last steps", strings.Count(string(lastSteps), "\n"))
	row("pushed", counts.Pushed())
	row("done", counts.Done)
	row("dead", counts.Dead)
	row("result", result)
	table.Flush()
	fmt.Fprintf(os.Stdout, "Fault run, FAULTS_SEED=%d:\n%s", seed, report.String())
	if t.Failed() {
		t.Logf("the last faults and what the workers said:\n%s", job.lastWords())
	}
}

// makeItems makes mostly ordinary items, and some of each difficult kind.
func makeItems(n int) []string {
	payloads := make([]string, n)
	for i := range payloads {
		kind := "item"
		switch {
		case i%200 == 7:
			kind = "flaky"
		case i%500 == 13:
			kind = "bad"
		case i%5000 == 99:
			kind = "poison"
		case i%2000 == 333:
			kind = "slow"
		case i%1000 == 777:
			kind = "liar"
		case i%100 == 42:
			kind = "parent"
		}
		payloads[i] = fmt.Sprintf("%s-%d", kind, i)
	}
	copy(payloads[n/2:], []string{"twin", "twin", "twin", "twin"})
	return payloads
}

// children returns the items that other items push.
func children(payloads []string) (pushed []string) {
	for _, payload := range payloads {
		if strings.HasPrefix(payload, "parent") {
			pushed = append(pushed, "child-a-"+payload, "child-b-"+payload)
		}
	}
	return pushed
}

// runs is the log that the items have written.
type runs struct {
	total, again int
	of           map[string]int // times a payload was run to its end
}

func readRuns(t *testing.T, path string, payloads []string) *runs {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &runs{of: map[string]int{}}
	left := map[string]int{} // runs that are due
	for _, p := range payloads {
		left[p]++
		if strings.HasPrefix(p, "bad") || strings.HasPrefix(p, "flaky") {
			left[p] = maxAttempts
		}
	}
	for line := range strings.Lines(string(text)) {
		item := strings.TrimSpace(line)
		if _, known := left[item]; !known {
			t.Fatalf("a run of what is no item: %q", item)
		}
		r.total++
		r.of[item]++
		if left[item]--; left[item] < 0 {
			r.again++
		}
	}
	return r
}

// judge compares the counts in Redis with the items that were put in, so many of them by seeding, and with the log of what ran.
func judge(t *testing.T, payloads []string, seeded int, c queue.Counts, dead map[string]int, r *runs) string {
	t.Helper()
	if !c.Drained() || !c.Consistent() {
		t.Errorf("the queue is not drained, or its accounts do not balance: %+v", c)
	}
	if c.Seeded != seeded || c.Done+c.Dead != len(payloads) {
		t.Errorf("%d items: %d were seeded, %d are done and %d dead", len(payloads), c.Seeded, c.Done, c.Dead)
	}
	copies := map[string]int{}
	for _, p := range payloads {
		copies[p]++
	}
	records := 0
	for payload, n := range dead {
		records += n
		if n > copies[payload] {
			t.Errorf("%s has died %d times", payload, n)
		}
		if kind, _, _ := strings.Cut(payload, "-"); kind != "bad" && kind != "poison" && kind != "liar" {
			t.Errorf("%s is dead and has done nothing to deserve it", payload)
		}
	}
	if records != c.Dead {
		t.Errorf("%d dead letters, %d are dead", records, c.Dead)
	}
	for payload, n := range copies {
		kind, _, _ := strings.Cut(payload, "-")
		least := n
		switch kind {
		case "poison", "liar":
			least = 0
		case "bad":
			least = maxAttempts
		}
		if r.of[payload] < least {
			t.Errorf("%s was run %d times, at least %d were due", payload, r.of[payload], least)
		}
		if (kind == "poison" || kind == "bad" || kind == "liar") && dead[payload] != n {
			t.Errorf("%s is not dead", payload)
		}
	}
	if t.Failed() {
		return "FAILED"
	}
	return "every item was run, none is lost, each is counted once"
}

// progress returns the share of the items that are done or dead, and 0 while Redis cannot be read.
func progress(q *queue.Queue, items int) float64 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	counts, err := q.Counts(ctx)
	if err != nil {
		return 0
	}
	return float64(counts.Done+counts.Dead) / float64(items)
}

func setting(t *testing.T, name string, otherwise int) int {
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func toJSON(t *testing.T, value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
