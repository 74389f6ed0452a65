// Package stream runs items in programs that keep running: they read requests as lines of JSON from standard input and write messages
// to file descriptor 3, see docs/programs.md.
package stream

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
)

// Handler keeps programs running. Handle may be called by as many goroutines as there are processes times requests in flight in each.
type Handler struct {
	handler.Command
	Processes    int
	InFlight     int           // largest number of requests in flight in a process; 1 for a program that works on one at a time
	StartTimeout time.Duration // until the first response of a process, if there is a Timeout
	ResultBytes  int           // largest number of bytes of a result that are kept

	silence time.Duration // with requests in flight and without a message, before a warning; 0: silenceLimit
	hasRead atomic.Bool   // some process has read a request, so that the command is one for this mode

	mu    sync.Mutex // guards slots and their calls
	slots []*slot
}

const (
	maxItems  = 1000        // in the calls for all processes together: a fast program never waits for the next ones
	minItems  = 100         // in a call, if there are many processes
	holdLimit = time.Second // longest time for which an item waits to be sent
)

// MaxItems implements handler.Handler.
func (h *Handler) MaxItems() int { return max(maxItems/max(h.Processes, 1), minItems) }

// Handle implements handler.Handler. An item that has waited for a second without being sent is returned.
func (h *Handler) Handle(ctx context.Context, items []queue.Item, report func(int, handler.Attempt)) {
	slot := h.enter()
	defer h.leave(slot)
	positions := make([]int, len(items))
	for i := range positions {
		positions[i] = i
	}
	h.run(ctx, slot, &call{items: items, report: report}, positions)
}

// run gives the items at these positions to the slot's program, and those that it leaves to its successors, until all are reported.
func (h *Handler) run(ctx context.Context, slot *slot, c *call, positions []int) {
	for len(positions) > 0 {
		if ctx.Err() != nil {
			for _, i := range positions {
				c.report(i, interrupted())
			}
			return
		}
		p, err := slot.program(h)
		if err != nil {
			for _, i := range positions {
				c.report(i, handler.Unstarted(h.Args[0], err))
			}
			return
		}
		p.add(c, positions)
		overdue := time.After(holdLimit)
		for waiting := true; waiting; {
			select {
			case <-c.done:
				waiting = false
			case <-overdue:
				p.giveBack(c)
			case <-ctx.Done():
				p.abandon(c)
				return
			}
		}
		slices.Sort(c.again)
		positions = c.again
	}
}

func interrupted() handler.Attempt {
	return handler.Attempt{Outcome: queue.OutcomeReturned, Reason: "interrupted", Started: time.Now()}
}

func (h *Handler) warn(message string) {
	if h.Log != nil {
		h.Log.Warn(message, "command", h.Args[0])
	}
}
