package dispatch

import (
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

// attemptJSON is what the queue keeps of an attempt.
func attemptJSON(item queue.Item, o *attempt, policy Policy) string {
	a := newRecord(item, o, policy)
	a.Truncated = o.Truncated
	a.SetOutput(o.Output)
	return a.JSON()
}

// entryJSON is what the history keeps of an attempt: all but its output.
func entryJSON(item queue.Item, o *attempt, policy Policy, outcome queue.Outcome) string {
	a := newRecord(item, o, policy)
	a.Outcome = outcome
	return a.JSON()
}

func newRecord(item queue.Item, o *attempt, policy Policy) record.Attempt {
	return record.Attempt{Reason: o.Reason, ExitCode: o.ExitCode, Number: item.Attempts + 1, Host: policy.Host, Node: policy.Node,
		Started: o.Started.UTC().Truncate(time.Millisecond), Seconds: o.Duration.Round(time.Microsecond).Seconds()}
}
