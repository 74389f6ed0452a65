package handler

import (
	"slices"
	"strconv"
	"sync"
)

// slots numbers the processes that run at the same time.
type slots struct {
	mu    sync.Mutex
	taken []bool // by number, less 1
}

// enter returns the lowest number that no other process has, from 1, and the variable for it. It is free again after leave.
func (s *slots) enter() (number int, env string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.taken, false)
	if i < 0 {
		i = len(s.taken)
		s.taken = append(s.taken, false)
	}
	s.taken[i] = true
	return i + 1, SlotVariable(i + 1)
}

func (s *slots) leave(number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[number-1] = false
}

// SlotVariable returns the variable by which a process finds the number of its slot.
func SlotVariable(number int) string { return "WQ_SLOT=" + strconv.Itoa(number) }
