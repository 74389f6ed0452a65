package dispatch

import (
	"context"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
)

// LastStep is what one of the workers runs when the run has drained or stopped.
type LastStep struct {
	MaxAttempts int
	// Run makes an attempt, numbered from 1. When ctx is done it ends soon, with OutcomeReturned.
	Run func(ctx context.Context, number int) handler.Attempt
}

// runLastStep leases the last step and makes an attempt at it. If another worker has it, or it is not due yet, runLastStep returns
// at once, and leaseAgain says when to ask again.
func (d *dispatcher) runLastStep() error {
	var step queue.LastStep
	err := d.retry(func(ctx context.Context) (err error) {
		step, err = d.session.LeaseLastStep(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if !step.Leased {
		d.leaseAgain = time.Now().Add(pollDelay(queue.Reply{Status: queue.StatusLast, Wait: step.Wait}))
		return nil
	}
	d.worker.Log.Info("running the last step", "attempt", step.Attempts+1)
	running, cancel := context.WithCancel(d.running)
	defer cancel()
	ended := make(chan attempt, 1)
	go func() { ended <- d.worker.LastStep.Run(running, step.Attempts+1) }()
	renew := time.NewTicker(d.lease / 3)
	defer renew.Stop()
	for {
		select {
		case a := <-ended:
			return d.endLastStep(step, &a)
		case <-renew.C:
			err := d.retry(func(ctx context.Context) (err error) {
				step, err = d.session.RenewLastStep(ctx)
				return err
			})
			if err == nil && step.Leased {
				continue
			}
			cancel()
			<-ended
			d.worker.Log.Warn("lease lost: another worker runs the last step", "reason", err)
			return err
		}
	}
}

func (d *dispatcher) endLastStep(step queue.LastStep, a *attempt) error {
	item := queue.Item{Payload: "last step", Attempts: step.Attempts}
	end := queue.ItemOutcome{Outcome: a.Outcome}
	switch {
	case a.Outcome == queue.OutcomeDone, a.Outcome == queue.OutcomeReturned:
	case step.Attempts+1 < d.worker.LastStep.MaxAttempts:
		end = queue.ItemOutcome{Outcome: queue.OutcomeFailed, Delay: d.policy.Backoff.Delay(step.Attempts + 1), Text: attemptJSON(item, a, d.policy)}
		d.worker.Log.Warn("the last step failed", "attempt", step.Attempts+1, "exit_code", a.ExitCode, "reason", a.Reason, "delay", end.Delay.Round(time.Millisecond))
	default:
		end = queue.ItemOutcome{Outcome: queue.OutcomeDead, Text: attemptJSON(item, a, d.policy)}
		d.worker.Log.Error("the last step is dead", "attempt", step.Attempts+1, "exit_code", a.ExitCode, "reason", a.Reason)
	}
	counts := true
	err := d.retry(func(ctx context.Context) (err error) {
		counts, err = d.session.EndLastStep(ctx, end)
		return err
	})
	switch {
	case err != nil:
	case !counts:
		d.worker.Log.Info("items came back while the last step ran: it runs again after them")
	case a.Outcome == queue.OutcomeDone:
		d.worker.Log.Info("the last step is done", "duration", a.Duration.Round(time.Microsecond))
	}
	return err
}

// retry makes a call to the queue for as long as Redis may be unreachable.
func (d *dispatcher) retry(call func(context.Context) error) error {
	return redisclient.Retry(d.calls, d.policy.UnreachableTimeout, d.worker.Log, call)
}
