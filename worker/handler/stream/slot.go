package stream

import "sync"

// slot runs one process at a time: when it has ended, the next one.
type slot struct {
	number int // from 1
	calls  int // of Handle that use it

	mu      sync.Mutex // guards running
	running *program
}

// enter returns the slot that the fewest calls use.
func (h *Handler) enter() *slot {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.slots) < h.Processes {
		h.slots = append(h.slots, &slot{number: len(h.slots) + 1})
	}
	least := h.slots[0]
	for _, slot := range h.slots {
		if slot.calls < least.calls {
			least = slot
		}
	}
	least.calls++
	return least
}

func (h *Handler) leave(slot *slot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	slot.calls--
}

// program returns the slot's running process. It starts one if there is none.
func (s *slot) program(h *Handler) (*program, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil && !s.running.hasEnded() {
		return s.running, nil
	}
	singly := 0
	if s.running != nil {
		singly = s.running.causes
	}
	p, err := startProgram(h, s.number, singly)
	if err == nil {
		s.running = p
	}
	return p, err
}

// Close ends the processes: first by the end of their standard input, then by signals. No call of Handle may follow.
func (h *Handler) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ends sync.WaitGroup
	for _, slot := range h.slots {
		slot.mu.Lock()
		if slot.running != nil {
			ends.Go(slot.running.close)
		}
		slot.mu.Unlock()
	}
	ends.Wait()
	return nil
}
