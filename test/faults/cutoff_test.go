package faults

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/redistest"
)

// Programs that finish their current item when they get TERM and exit 0, although items are left. Each writes a line for every
// item that it has completed.
const (
	cutOffEach = `
trap 'exit 0' TERM
sleep 0.3 & wait
echo "$1" >>"$RUNS"
`
	cutOffMany = `
trap 'stop=1' TERM
while [ -z "$stop" ] && read -r item; do
  sleep 0.05
  echo "$item" >>"$RUNS"
done
`
	cutOffStream = `
trap 'exit 0' TERM
while IFS= read -r line; do
  id=${line#*'"id":"'} item=${line#*'"item":"'}
  id=${id%%'"'*} item=${item%%'"'*}
  sleep 0.05 & wait
  echo "$item" >>"$RUNS"
  echo "{\"id\":\"$id\",\"status\":\"done\"}" >&3
done
`
)

// TestCutOff keeps stopping workers whose program exits 0 on TERM, whether or not all of its items are done. Only items that ran
// to their end may count as done.
func TestCutOff(t *testing.T) {
	for mode, env := range map[string][]string{
		"exec":   {"WQ_COMMAND=" + toJSON(t, []string{"/bin/sh", "-c", cutOffEach, "item", "{}"})},
		"batch":  {"WQ_MODE=batch", "WQ_BATCH_SIZE=20", "WQ_COMMAND=" + toJSON(t, []string{"/bin/sh", "-c", cutOffMany})},
		"stream": {"WQ_MODE=stream", "WQ_COMMAND=" + toJSON(t, []string{"/bin/sh", "-c", cutOffStream})},
	} {
		t.Run(mode, func(t *testing.T) {
			payloads := make([]string, 60)
			for i := range payloads {
				payloads[i] = fmt.Sprintf("item-%d", i)
			}
			job, q := smallJob(t, payloads, 2, append(env, "WQ_GRACE=100ms", "WQ_CONCURRENCY=2"))
			job.start()
			for range 3 {
				redistest.Eventually(t, "items run", func() error {
					if c, err := q.Counts(t.Context()); err != nil || c.Leased == 0 && !c.Drained() {
						return fmt.Errorf("%+v, %v", c, err)
					}
					return nil
				})
				time.Sleep(100 * time.Millisecond) // amidst an item
				for _, p := range job.pods {
					p.signal(syscall.SIGTERM)
				}
			}
			counts, runs := smallEnd(t, job, q)
			if counts.Done != len(payloads) || counts.Failed > 0 || counts.Dead > 0 || counts.Returned == 0 {
				t.Errorf("nothing but done and returned items: %+v", counts)
			}
			for _, p := range payloads {
				if runs[p] == 0 {
					t.Errorf("%s counts as done, but was never run to its end", p)
				}
			}
		})
	}
}
