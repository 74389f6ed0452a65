package dispatch

import (
	"log/slog"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// verdict decides what becomes of an item after an attempt; nil if it is simply done.
func (d *dispatcher) verdict(item queue.Item, o attempt) *queue.ItemOutcome {
	failed := item.Attempts + 1
	switch o.Outcome {
	case queue.OutcomeDone:
		d.stats.Done++
		if d.verbose {
			d.logItem(slog.LevelDebug, "item is done", item, o)
		}
		if o.Result {
			return &queue.ItemOutcome{Outcome: queue.OutcomeDone, Text: report(item, o, d.policy)}
		}
		return nil
	case queue.OutcomeReturned:
		d.stats.Returned++
		return &queue.ItemOutcome{Outcome: queue.OutcomeSnoozed}
	case queue.OutcomeSnoozed:
		d.stats.Snoozed++
		delay := d.policy.Backoff.Delay(1)
		d.logItem(slog.LevelInfo, "not now", item, o, "again in", delay.Round(time.Millisecond))
		return &queue.ItemOutcome{Outcome: queue.OutcomeSnoozed, Delay: delay}
	case handler.OutcomeInvalid:
		d.stats.Returned++
		d.invalid = &InvalidCommandError{o.Reason}
		return &queue.ItemOutcome{Outcome: queue.OutcomeSnoozed}
	}
	d.stats.Failed++
	if o.Outcome == queue.OutcomeFailed && failed < d.policy.MaxAttempts {
		delay := d.policy.Backoff.Delay(failed)
		d.logItem(slog.LevelWarn, "attempt failed", item, o, "again in", delay.Round(time.Millisecond))
		return &queue.ItemOutcome{Outcome: queue.OutcomeFailed, Delay: delay}
	}
	d.stats.Dead++
	d.urgent = true // it may be the one too many
	d.logItem(slog.LevelError, "item is dead", item, o)
	return &queue.ItemOutcome{Outcome: queue.OutcomeDead, Text: report(item, o, d.policy)}
}

// logItem writes the one line on an attempt: the message is its outcome.
func (d *dispatcher) logItem(level slog.Level, message string, item queue.Item, o attempt, more ...any) {
	facts := []any{"item", text.Shorten(item.Payload, logged), "id", item.ID, "attempt", item.Attempts + 1, "of", d.policy.MaxAttempts}
	if o.Reason != "" {
		facts = append(facts, "reason", o.Reason)
	}
	facts = append(facts, "took", o.Duration.Round(time.Microsecond))
	d.worker.Log.Log(d.running, level, message, append(facts, more...)...)
}

// logged is how many bytes of an item are in a log.
const logged = 256
