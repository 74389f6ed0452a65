package handler

import (
	"bytes"
	"sync"
)

// tail keeps the last bytes of what is written to it, from the beginning of a line. Standard output and standard error
// are written to one tail, by two goroutines.
type tail struct {
	mu      sync.Mutex
	kept    []byte
	dropped bool
}

// Write implements io.Writer. It never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-tailBytes):]...)
	if over := len(t.kept) - tailBytes; over > 0 || len(p) > tailBytes {
		t.kept = append(t.kept[:0], t.kept[max(0, over):]...)
		t.dropped = true
	}
	return len(p), nil
}

// lines returns the last lines, and whether there were more before them. The first of them is whole unless it alone is
// longer than the tail.
func (t *tail) lines() (text string, truncated bool) {
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
