package handler

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// Stream keeps programs running that read requests as lines of JSON from standard input and write responses as lines of
// JSON to standard output, see docs/stream.md. Handle may be called by as many goroutines as there are processes times
// items in flight in each.
type Stream struct {
	Command
	Processes    int
	InFlight     int           // largest number of requests in flight in a process; 1 for a program that works on one at a time
	StartTimeout time.Duration // until the first response of a process, if there is a Timeout
	ResultBytes  int           // largest number of bytes of a result that are kept

	mu    sync.Mutex // guards slots and their calls
	slots []*slot
}

const (
	streamItems = 1000                   // items in one call: a fast program never waits for the next ones
	ahead       = 100 * time.Millisecond // work that is sent ahead to a program that works on one item at a time
	maxAhead    = 400                    // requests that are sent ahead at most
	holdLimit   = time.Second            // longest time for which an item waits to be sent
)

// MaxItems implements Handler.
func (*Stream) MaxItems() int { return streamItems }

// slot is where one process runs, and its successor after it has ended.
type slot struct {
	calls int // of Handle that use it

	mu      sync.Mutex // guards running
	running *program
}

// Handle implements Handler. An item that has waited for a second without being sent is returned.
func (s *Stream) Handle(ctx context.Context, items []queue.Item, report func(int, Attempt)) {
	slot := s.enter()
	defer s.leave(slot)
	positions := make([]int, len(items))
	for i := range positions {
		positions[i] = i
	}
	s.run(ctx, slot, &call{items: items, report: report}, positions)
}

// enter returns the slot that the fewest calls use.
func (s *Stream) enter() *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.slots) < s.Processes {
		s.slots = append(s.slots, &slot{})
	}
	least := s.slots[0]
	for _, slot := range s.slots {
		if slot.calls < least.calls {
			least = slot
		}
	}
	least.calls++
	return least
}

func (s *Stream) leave(slot *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot.calls--
}

// run gives the items at these positions to the slot's program, and what it leaves to its successors, until all are reported.
func (s *Stream) run(ctx context.Context, slot *slot, c *call, positions []int) {
	for len(positions) > 0 {
		if ctx.Err() != nil {
			for _, i := range positions {
				c.report(i, interrupted())
			}
			return
		}
		p, err := slot.program(s)
		if err != nil {
			for _, i := range positions {
				c.report(i, unstarted(s.Args[0], err))
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

func interrupted() Attempt {
	return Attempt{Outcome: queue.OutcomeReturned, Reason: "interrupted", Started: time.Now()}
}

// program returns the slot's running process. It starts one if there is none.
func (t *slot) program(s *Stream) (*program, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == nil || t.running.hasEnded() {
		p, err := startProgram(s)
		if err != nil {
			return nil, err
		}
		if t.running != nil {
			p.singly = t.running.causes
		}
		t.running = p
	}
	return t.running, nil
}

// Close ends the processes: first by the end of their standard input, then by signals. No call of Handle may follow.
func (s *Stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ends sync.WaitGroup
	for _, slot := range s.slots {
		slot.mu.Lock()
		if slot.running != nil {
			ends.Go(slot.running.close)
		}
		slot.mu.Unlock()
	}
	ends.Wait()
	return nil
}
