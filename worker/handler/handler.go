// Package handler runs items. Each Handler is a way in which the user's command gets its items.
package handler

import (
	"context"
	"fmt"
	"time"

	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
)

// Handler runs items.
type Handler interface {
	// Handle runs the items, MaxItems at most. It calls report once for each position, from any goroutine, as soon as that
	// attempt has ended, and returns after the last call. When ctx is done it must end soon; items that it did not finish
	// are then OutcomeReturned.
	Handle(ctx context.Context, items []queue.Item, report func(position int, attempt Attempt))
	// MaxItems returns the largest number of items for one call.
	MaxItems() int
}

// Recaller is a Handler that may hold items which its programs have not been given.
type Recaller interface {
	// Excess reports whether there are such items that should go back to the queue if a slot is idle somewhere.
	Excess() bool
	// Recall reports these items as OutcomeReturned.
	Recall()
}

// OutcomeInvalid means that the command cannot run at all, for this or any item: the configuration is wrong. It never reaches the queue.
const OutcomeInvalid queue.Outcome = "invalid"

// Attempt is how one try at one item went.
type Attempt struct {
	Outcome  queue.Outcome
	Reason   string // one line, "" if done
	ExitCode int    // of the command; 128+n for signal n, 124 for a timeout
	Output   string // the result of an item that is done; otherwise the last lines of the command's output

	Push      []string // payloads of new items, if done
	Result    bool     // Output is a result to be kept
	Truncated bool     // there was more output than this

	Started  time.Time
	Duration time.Duration
}

// Print is the built-in handler: it prints "Working on <item>".
type Print struct{ Output *process.Output }

// MaxItems implements Handler.
func (Print) MaxItems() int { return 2000 }

// Handle implements Handler.
func (p Print) Handle(_ context.Context, items []queue.Item, report func(int, Attempt)) {
	attempt := Attempt{Outcome: queue.OutcomeDone, Started: time.Now()}
	if err := p.print(items); err != nil {
		attempt.Outcome, attempt.Reason = queue.OutcomeFailed, err.Error()
	}
	for i := range items {
		report(i, attempt)
	}
}

func (p Print) print(items []queue.Item) error {
	if p.Output.Raw() {
		lines := make([]byte, 0, 64*len(items))
		for _, item := range items {
			lines = fmt.Appendf(lines, "Working on %s\n", item.Payload)
		}
		_, err := p.Output.Out.Write(lines)
		return err
	}
	for _, item := range items {
		out, _, flush := p.Output.Writers(origin(item))
		if _, err := fmt.Fprintf(out, "Working on %s\n", item.Payload); err != nil {
			return err
		}
		flush()
	}
	return nil
}
