package handler

import (
	"context"
	"sync"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// Stream keeps processes that take items as lines of JSON on standard input and answer with lines of JSON on standard
// output, see docs/stream.md. Handle may be called by as many goroutines as there are processes times the items that
// each works on at the same time.
type Stream struct {
	Command
	Processes    int
	InFlight     int           // unanswered items in a process at most; 1 for one that takes them one after another
	StartTimeout time.Duration // until the first answer of a process, if there is a timeout at all
	ResultBytes  int           // of a result that are kept

	mu     sync.Mutex // of places, and of how many use each
	places []*place
}

// streamItems is how many items one call takes: so many that a fast program never waits for the next ones.
const streamItems = 1000

// MaxItems implements Handler.
func (*Stream) MaxItems() int { return streamItems }

// window is how many items a process may have, in its hands or in its input. Lines are sent ahead only to a program that
// takes them one after another; another would begin with all of them.
func (s *Stream) window() int {
	if s.InFlight > 1 {
		return s.InFlight
	}
	return streamItems
}

// place is where a process is, or its successor once it has ended.
type place struct {
	users int // calls of Handle, guarded by Stream.mu

	// alone is held for reading while items are with the process, and for writing by one that must have it to itself.
	alone sync.RWMutex

	mu      sync.Mutex
	running *conversation
}

// Handle implements Handler.
func (s *Stream) Handle(ctx context.Context, items []queue.Item, report func(int, Attempt)) {
	p := s.enter()
	defer s.leave(p)
	outcomes := make([]Attempt, len(items))
	all := make([]int, len(items))
	for i := range all {
		all[i] = i
	}
	p.alone.RLock()
	suspects := s.some(ctx, p, items, all, outcomes)
	p.alone.RUnlock()
	// A process has ended with several items before it, and only one of them may be to blame.
	for _, i := range suspects {
		p.alone.Lock()
		s.some(ctx, p, items, []int{i}, outcomes)
		p.alone.Unlock()
	}
	for i, attempt := range outcomes {
		report(i, attempt)
	}
}

// enter finds the place with the fewest users.
func (s *Stream) enter() *place {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.places) < s.Processes {
		s.places = append(s.places, &place{})
	}
	least := s.places[0]
	for _, p := range s.places {
		if p.users < least.users {
			least = p
		}
	}
	least.users++
	return least
}

func (s *Stream) leave(p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.users--
}

// some gives the items at these positions to the process and waits for their outcomes. It answers the positions of items
// that were unanswered, with others, when the process ended.
func (s *Stream) some(ctx context.Context, p *place, items []queue.Item, positions []int, outcomes []Attempt) (suspects []int) {
	for len(positions) > 0 {
		for _, i := range positions {
			outcomes[i] = Attempt{Outcome: queue.OutcomeReturned, Reason: "interrupted", Started: time.Now()}
		}
		if ctx.Err() != nil {
			return suspects
		}
		c, err := p.conversation(s)
		if err != nil {
			for _, i := range positions {
				outcomes[i] = unstarted(s.Args[0], err)
			}
			return suspects
		}
		e := c.ask(items, positions, outcomes)
		select {
		case <-e.done:
		case <-ctx.Done():
			c.forget(e)
		}
		suspects = append(suspects, e.suspects...)
		positions = e.untouched
	}
	return suspects
}

// conversation answers the process in this place, a new one if there is none.
func (p *place) conversation(s *Stream) (*conversation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil || p.running.over() {
		c, err := converse(s)
		if err != nil {
			return nil, err
		}
		p.running = c
	}
	return p.running, nil
}

// Close ends the processes: first by the end of their standard input, then by signals. No call of Handle may follow.
func (s *Stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ends sync.WaitGroup
	for _, p := range s.places {
		p.mu.Lock()
		if p.running != nil {
			ends.Go(p.running.close)
		}
		p.mu.Unlock()
	}
	ends.Wait()
	return nil
}
