package process

import (
	"bytes"
	"sync"
)

// tailBytes is how much of a process's output a Tail keeps.
const tailBytes = 4 << 10

// Tail keeps the last bytes that are written to it. Several goroutines may write.
type Tail struct {
	mu      sync.Mutex
	kept    []byte
	dropped bool
}

// Write implements io.Writer. It never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-tailBytes):]...)
	if over := len(t.kept) - tailBytes; over > 0 || len(p) > tailBytes {
		t.kept = append(t.kept[:0], t.kept[max(0, over):]...)
		t.dropped = true
	}
	return len(p), nil
}

// Lines returns the last lines, and whether there were more before them. The first line is whole unless it alone is longer than
// what is kept.
func (t *Tail) Lines() (text string, truncated bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.kept
	if t.dropped {
		if _, rest, found := bytes.Cut(lines, []byte("\n")); found && len(rest) > 0 {
			lines = rest
		}
	}
	return string(bytes.TrimRight(lines, "\n")), t.dropped
}

// Head keeps the first Limit bytes that are written to it. Several goroutines may write.
type Head struct {
	Limit   int
	mu      sync.Mutex
	kept    []byte
	dropped bool
}

// Write implements io.Writer. It never fails.
func (h *Head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	room := h.Limit - len(h.kept)
	h.dropped = h.dropped || len(p) > room
	h.kept = append(h.kept, p[:min(len(p), room)]...)
	return len(p), nil
}

// Text returns what was kept, and whether there was more.
func (h *Head) Text() (text string, truncated bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.kept), h.dropped
}
