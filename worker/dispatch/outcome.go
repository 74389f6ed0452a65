package dispatch

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// outcome decides what becomes of an item after an attempt; nil if it is simply done.
func (d *dispatcher) outcome(item queue.Item, a *attempt) *queue.ItemOutcome {
	o := d.decide(item, a)
	if d.policy.History && ran(a) {
		if o == nil {
			o = &queue.ItemOutcome{Outcome: queue.OutcomeDone}
		}
		o.Entry = entryJSON(item, a, d.policy, o.Outcome)
	}
	return o
}

func (d *dispatcher) decide(item queue.Item, a *attempt) *queue.ItemOutcome {
	if a.Outcome == queue.OutcomeDone {
		if reason := TooMuch(a.Push); reason != "" {
			a.Outcome, a.Reason = queue.OutcomeDead, reason
		}
	}
	failed := item.Attempts + 1
	switch {
	case a.Outcome == queue.OutcomeDone, a.Outcome == queue.OutcomeFailed:
		d.tried = true
	case a.Outcome == handler.OutcomeInvalid && d.tried: // it could be run before
		a.Outcome = queue.OutcomeFailed
	}
	switch a.Outcome {
	case queue.OutcomeDone:
		d.stats.Done++
		if d.verbose {
			d.logAttempt(slog.LevelDebug, "item is done", item, a)
		}
		if !a.Result && len(a.Push) == 0 {
			return nil
		}
		o := &queue.ItemOutcome{Outcome: queue.OutcomeDone, Push: a.Push}
		if a.Result {
			o.Text = attemptJSON(item, a, d.policy)
		}
		return o
	case handler.OutcomeInvalid:
		d.invalid = &InvalidCommandError{a.Reason}
		fallthrough
	case queue.OutcomeReturned:
		d.stats.Returned++
		d.urgent = true // another worker may be idle
		return &queue.ItemOutcome{Outcome: queue.OutcomeReturned}
	case queue.OutcomeSnoozed:
		if limit := d.policy.Limits.MaxSnoozes; limit > 0 && item.Snoozes >= limit {
			return d.dead(item, a, fmt.Sprintf("snoozed more than %d times: %s", limit, a.Reason), queue.OutcomeSnoozed)
		}
		d.stats.Snoozed++
		delay := d.policy.Backoff.Delay(item.Snoozes + 1)
		d.logAttempt(slog.LevelInfo, "item snoozed", item, a, "snoozes", item.Snoozes+1, "delay", delay.Round(time.Millisecond))
		return &queue.ItemOutcome{Outcome: queue.OutcomeSnoozed, Delay: delay}
	}
	if a.Outcome == queue.OutcomeFailed && failed < d.policy.MaxAttempts {
		d.stats.Failed++
		d.noteError(item, a)
		delay := d.policy.Backoff.Delay(failed)
		d.logAttempt(slog.LevelWarn, "attempt failed", item, a, "delay", delay.Round(time.Millisecond))
		return &queue.ItemOutcome{Outcome: queue.OutcomeFailed, Delay: delay}
	}
	return d.dead(item, a, a.Reason, queue.OutcomeDead)
}

// TooMuch returns why an item cannot push so much, "" if it can.
func TooMuch(push []string) string {
	bytes := 0
	for _, payload := range push {
		bytes += len(payload)
	}
	if len(push) <= queue.MaxPush && bytes <= queue.MaxPushBytes {
		return ""
	}
	return fmt.Sprintf("the program pushed more than an item can push, which is %d items of %d MiB in all: let it push items that push the rest",
		queue.MaxPush, queue.MaxPushBytes>>20)
}

// dead reports the last attempt at an item, by the outcome with which the queue makes it a dead letter.
func (d *dispatcher) dead(item queue.Item, a *attempt, reason string, outcome queue.Outcome) *queue.ItemOutcome {
	d.stats.Failed++
	d.stats.Dead++
	d.urgent = true // the run may have to stop
	a.Reason = reason
	d.noteError(item, a)
	d.logAttempt(slog.LevelError, "item is dead", item, a)
	return &queue.ItemOutcome{Outcome: outcome, Text: attemptJSON(item, a, d.policy)}
}

// noteError keeps an attempt for the worker's status.
func (d *dispatcher) noteError(item queue.Item, a *attempt) {
	d.reporter.status.LastError = &LastError{time.Now().UTC().Truncate(time.Millisecond), item.ID, text.Head(strings.ToValidUTF8(a.Reason, "\uFFFD"), statusReason)}
}

// logAttempt writes the line about an attempt.
func (d *dispatcher) logAttempt(level slog.Level, message string, item queue.Item, a *attempt, more ...any) {
	facts := []any{"item_id", item.ID, "item", text.Shorten(item.Payload, logged), "attempt", item.Attempts + 1, "max_attempts", d.policy.MaxAttempts}
	if a.Outcome != queue.OutcomeDone {
		facts = append(facts, "exit_code", a.ExitCode, "reason", a.Reason)
	}
	facts = append(facts, "duration", a.Duration.Round(time.Microsecond))
	d.worker.Log.Log(d.running, level, message, append(facts, more...)...)
}

// logged is how many bytes of an item are in a log.
const logged = 256
