package handler

import "sync"

// head keeps the first bytes of what is written to it.
type head struct {
	limit   int
	mu      sync.Mutex
	kept    []byte
	dropped bool
}

// Write implements io.Writer. It never fails.
func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	room := h.limit - len(h.kept)
	h.dropped = h.dropped || len(p) > room
	h.kept = append(h.kept, p[:min(len(p), room)]...)
	return len(p), nil
}

// result returns what was kept, and whether there was more.
func (h *head) result() (text string, truncated bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.kept), h.dropped
}
