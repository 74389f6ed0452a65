package handler

import (
	"bufio"
	"encoding/json"
	"slices"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// writeSize is how much is written at once: little, so that the process can begin with the first lines.
const writeSize = 4 << 10

// flight is an item on its way.
type flight struct {
	*errand
	position int
	id       string
	sent     time.Time
}

// errand is some items whose outcomes somebody waits for. Its conversation's lock guards it.
type errand struct {
	items     []queue.Item
	outcomes  []Attempt
	open      int           // items without an outcome
	done      chan struct{} // closed when there are none
	forgotten bool          // nobody waits any more, and outcomes are somebody else's

	untouched []int // positions of items that the process ended without, in good order
	suspects  []int // positions of items that the process had, with others, when it ended
}

// ask sends the items at these positions, and puts their outcomes in their places.
func (c *conversation) ask(items []queue.Item, positions []int, outcomes []Attempt) *errand {
	e := &errand{items: items, outcomes: outcomes, open: len(positions), done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over() {
		e.untouched = positions
		close(e.done)
		return e
	}
	if len(c.open) == 0 && c.answered > 0 { // or else it is being measured
		c.silence.anew()
	}
	for _, i := range positions {
		c.waiting = append(c.waiting, flight{errand: e, position: i})
	}
	c.fill()
	return e
}

// fill gives the process as many items as it may have.
func (c *conversation) fill() {
	now := time.Now()
	for len(c.waiting) > 0 && len(c.open) < c.stream.window() {
		f := c.waiting[0]
		c.waiting = c.waiting[1:]
		f.id, f.sent = f.items[f.position].ID, now
		for _, taken := c.open[f.id]; taken; _, taken = c.open[f.id] { // by an attempt of its own that nobody waits for
			f.id += "+"
		}
		c.open[f.id] = f
		c.outbox = append(c.outbox, f)
	}
	if len(c.outbox) > 0 {
		select {
		case c.unsent <- struct{}{}:
		default:
		}
	}
}

// write writes the lines. The process may be busy answering while its input is full, so nobody else may be the one who
// writes. An error needs no handling: the process has closed its input, and will be found to have ended.
func (c *conversation) write() {
	lines := bufio.NewWriterSize(c.input, writeSize)
	encoder := json.NewEncoder(lines)
	encoder.SetEscapeHTML(false)
	for {
		select {
		case <-c.unsent:
		case <-c.ended:
			return
		}
		for _, f := range c.outgoing() {
			if encoder.Encode(newQuestion(f.id, f.items[f.position])) != nil {
				return
			}
		}
		if lines.Flush() != nil {
			return
		}
	}
}

// outgoing empties the outbox.
func (c *conversation) outgoing() []flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	flights := c.outbox
	c.outbox = nil
	return flights
}

// forget says that nobody waits for an errand any more. The process does not know that and answers what it has all the same.
func (c *conversation) forget(e *errand) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.forgotten = true
	c.waiting = slices.DeleteFunc(c.waiting, func(f flight) bool { return f.errand == e })
}

// settle notes the outcome of an item that the process had.
func (c *conversation) settle(f flight, o Attempt) {
	now := time.Now()
	o.Started = f.sent
	if c.stream.InFlight <= 1 && c.last.After(f.sent) {
		o.Started = c.last // it took this item only then
	}
	o.Duration = now.Sub(o.Started)
	c.last = now
	if !f.forgotten {
		f.outcomes[f.position] = o
	}
	f.less()
}

// less notes that one item less is open.
func (e *errand) less() {
	if e.open--; e.open == 0 {
		close(e.done)
	}
}
