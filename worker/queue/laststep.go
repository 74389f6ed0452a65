package queue

import (
	"context"
	"fmt"
	"time"
)

// LastStepState is what has become of the last step of a run, "" if no worker has one.
type LastStepState string

// The states of a last step.
const (
	LastStepWaiting LastStepState = "waiting" // for the end of the run, or for another attempt
	LastStepRunning LastStepState = "running"
	LastStepDone    LastStepState = "done"
	LastStepDead    LastStepState = "dead" // it has used its attempts
)

// Open reports whether the last step is still to be done.
func (s LastStepState) Open() bool { return s == LastStepWaiting || s == LastStepRunning }

// LastStep is the reply to a call about the last step.
type LastStep struct {
	Leased   bool          // this session runs it
	Wait     time.Duration // until it may be leased, 0 if it is leased or over
	Attempts int           // failed attempts so far
	Again    bool          // the report of its end does not count, see EndLastStep
}

// LeaseLastStep leases the last step, unless another session has it, it is not due yet, or it is over. Call it after StatusLast.
func (s *Session) LeaseLastStep(ctx context.Context) (LastStep, error) {
	return s.lastStep(ctx, "lease", s.limits.Lease, "")
}

// RenewLastStep keeps the lease. Without Leased in the reply another session has it.
func (s *Session) RenewLastStep(ctx context.Context) (LastStep, error) {
	return s.lastStep(ctx, "renew", s.limits.Lease, "")
}

// EndLastStep reports how an attempt ended. It changes nothing if the lease was lost, or was ended before.
// OutcomeSnoozed is an attempt that failed. A report does not count if items have come back since the last step was leased: it is to run
// again after them.
func (s *Session) EndLastStep(ctx context.Context, o ItemOutcome) (counts bool, err error) {
	action := "failed"
	switch o.Outcome {
	case OutcomeDone:
		action = "done"
	case OutcomeReturned:
		action = "return"
	case OutcomeDead:
		action = "dead"
	}
	step, err := s.lastStep(ctx, action, o.Delay, o.Text)
	return !step.Again, err
}

func (s *Session) lastStep(ctx context.Context, action string, d time.Duration, record string) (LastStep, error) {
	reply, err := lastStepScript.Run(ctx, s.queue.redis, s.keys, s.worker, action, d.Milliseconds(), s.limits.MaxCrashes, record, s.limits.Lease.Milliseconds()).Int64Slice()
	if err != nil {
		return LastStep{}, err
	}
	if len(reply) != 4 {
		return LastStep{}, fmt.Errorf("reply of laststep.lua: %d fields in place of 4", len(reply))
	}
	return LastStep{Leased: reply[0] == 1, Wait: time.Duration(reply[1]) * time.Millisecond, Attempts: int(reply[2]), Again: reply[3] == 1}, nil
}

// RetryLastStep lets a dead last step run again.
func (q *Queue) RetryLastStep(ctx context.Context) error {
	return lastStepScript.Run(ctx, q.redis, q.keys(), "", "again", 0, 0, "", 0).Err()
}
