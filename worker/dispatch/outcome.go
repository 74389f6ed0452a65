package dispatch

import (
	"log/slog"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// outcome decides what becomes of an item after an attempt; nil if it is simply done.
func (d *dispatcher) outcome(item queue.Item, a *attempt) *queue.ItemOutcome {
	failed := item.Attempts + 1
	switch a.Outcome {
	case queue.OutcomeDone:
		d.stats.Done++
		if d.verbose {
			d.logAttempt(slog.LevelDebug, "item is done", item, a)
		}
		if a.Result {
			return &queue.ItemOutcome{Outcome: queue.OutcomeDone, Text: report(item, a, d.policy)}
		}
		return nil
	case handler.OutcomeInvalid:
		d.invalid = &InvalidCommandError{a.Reason}
		fallthrough
	case queue.OutcomeReturned:
		d.stats.Returned++
		d.urgent = true // another worker may be idle
		return &queue.ItemOutcome{Outcome: queue.OutcomeReturned}
	case queue.OutcomeSnoozed:
		d.stats.Snoozed++
		delay := d.policy.Backoff.Delay(1)
		d.logAttempt(slog.LevelInfo, "item snoozed", item, a, "delay", delay.Round(time.Millisecond))
		return &queue.ItemOutcome{Outcome: queue.OutcomeSnoozed, Delay: delay}
	}
	d.stats.Failed++
	if a.Outcome == queue.OutcomeFailed && failed < d.policy.MaxAttempts {
		delay := d.policy.Backoff.Delay(failed)
		d.logAttempt(slog.LevelWarn, "attempt failed", item, a, "delay", delay.Round(time.Millisecond))
		return &queue.ItemOutcome{Outcome: queue.OutcomeFailed, Delay: delay}
	}
	d.stats.Dead++
	d.urgent = true // the run may have to stop
	d.logAttempt(slog.LevelError, "item is dead", item, a)
	return &queue.ItemOutcome{Outcome: queue.OutcomeDead, Text: report(item, a, d.policy)}
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
