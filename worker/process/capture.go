package process

import (
	"bytes"
	"sync"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/text"
)

// tailBytes is how much of a process's output a Tail keeps.
const tailBytes = 4 << 10

// Tail keeps the last bytes that are written to it. Of a line that is written over after a carriage return, as a progress bar is, it keeps the last state
// alone. Several goroutines may write.
type Tail struct {
	mu      sync.Mutex
	kept    []byte
	line    int  // where the last line begins
	cut     bool // the beginning of the first line is gone
	dropped bool
	over    bool // what follows is written over the last line
}

// Write implements io.Writer. It never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rest, more := p, true; more; {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte{'\r'})
		t.add(part)
		t.over = t.over || more
	}
	return len(p), nil
}

// add adds output without a carriage return.
func (t *Tail) add(part []byte) {
	if len(part) == 0 {
		return
	}
	if t.over && part[0] != '\n' {
		t.kept = t.kept[:t.line]
		t.cut = t.cut && t.line > 0
	}
	t.over = false
	size := len(t.kept) + len(part)
	if lineEnd := bytes.LastIndexByte(part, '\n'); lineEnd >= 0 {
		t.line = len(t.kept) + lineEnd + 1
	}
	t.kept = append(t.kept, part[max(0, len(part)-tailBytes):]...)
	if gone := size - tailBytes; gone > 0 {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-tailBytes:]...)
		t.cut, t.dropped, t.line = true, true, max(0, t.line-gone)
	}
}

// Lines returns the last lines, and whether there were more before them. The first line is whole unless it alone is longer than
// what is kept.
func (t *Tail) Lines() (lines string, truncated bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.kept
	if t.cut {
		if _, rest, found := bytes.Cut(kept, []byte("\n")); found && len(rest) > 0 {
			kept = rest
		}
		for range utf8.UTFMax - 1 {
			if len(kept) > 0 && !utf8.RuneStart(kept[0]) {
				kept = kept[1:]
			}
		}
	}
	return string(bytes.TrimRight(kept, "\n")), t.dropped
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

// Text returns what was kept, and whether there was more. It does not end within a character.
func (h *Head) Text() (kept string, truncated bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dropped {
		return string(h.kept[:len(h.kept)-text.Unfinished(h.kept)]), true
	}
	return string(h.kept), false
}
