package process

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/text"
)

// tailBytes is how much of a process's output a Tail keeps.
const tailBytes = 4 << 10

// Tail keeps the last bytes that are written to it. Of a line that is written over after a carriage return, as a progress bar is, it keeps the last state
// alone. Each stream of a process writes to a writer of its own.
type Tail struct {
	mu      sync.Mutex
	streams []*tailStream
	kept    []byte
	line    int  // where the last line begins
	cut     bool // the beginning of the first line is gone
	dropped bool
	over    bool // what follows is written over the last line
}

// Stream returns a writer for a stream of the process.
func (t *Tail) Stream() io.Writer {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &tailStream{tail: t}
	t.streams = append(t.streams, s)
	return s
}

// tailStream writes one stream to a Tail. Programs write in pieces of, say, 4,096 bytes: the beginning of a character waits for its rest, so that
// nothing of another stream comes in between.
type tailStream struct {
	tail  *Tail
	begun []byte
}

// Write implements io.Writer. It never fails.
func (s *tailStream) Write(p []byte) (int, error) {
	s.tail.mu.Lock()
	defer s.tail.mu.Unlock()
	rest := p
	if len(s.begun) > 0 {
		rest = append(s.begun, p...)
	}
	whole := len(rest) - text.Unfinished(rest)
	s.begun = bytes.Clone(rest[whole:])
	rest = rest[:whole]
	for more := true; more; {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte{'\r'})
		s.tail.add(part)
		s.tail.over = s.tail.over || more
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
// what is kept. Of UTF-8 it has no part of a character, though the process may have ended within one.
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
	truncated, isText := t.dropped, utf8.Valid(kept)
	for _, s := range t.streams {
		switch {
		case len(s.begun) == 0:
		case isText:
			truncated = true
		default:
			kept = append(slices.Clip(kept), s.begun...)
		}
	}
	return string(bytes.TrimRight(kept, "\n")), truncated
}

// Head keeps the first Limit bytes that are written to it. If there are more and they are text, what a carriage return writes over, as in a progress bar,
// goes first. Several goroutines may write.
type Head struct {
	Limit   int
	mu      sync.Mutex
	kept    []byte
	begin   int  // of the first line that more may be written over
	binary  bool // it is no text, or not UTF-8
	full    bool
	dropped bool
}

// Write implements io.Writer. It never fails.
func (h *Head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.full || h.Limit == 0 {
		h.dropped = h.dropped || len(p) > 0
		return len(p), nil
	}
	if h.kept = append(h.kept, p...); len(h.kept) > h.Limit {
		h.dropped = true
		h.overwrite()
		if len(h.kept) > h.Limit {
			h.kept, h.full = h.kept[:h.Limit], true
		}
	}
	return len(p), nil
}

// overwrite drops what a carriage return writes over. One at the end of a line does not.
func (h *Head) overwrite() {
	rest := h.kept[h.begin:]
	whole := rest[:len(rest)-text.Unfinished(rest)]
	if h.binary = h.binary || !utf8.Valid(whole) || bytes.IndexByte(whole, 0) >= 0; h.binary {
		return
	}
	kept := h.kept[:h.begin]
	for ended := true; ended; {
		var line []byte
		line, rest, ended = bytes.Cut(rest, []byte{'\n'})
		over := bytes.LastIndexByte(bytes.TrimRight(line, "\r"), '\r') + 1
		h.begin = len(kept)
		kept = append(kept, line[over:]...)
		if ended {
			kept = append(kept, '\n')
		}
	}
	h.kept = kept
}

// Text returns what was kept, and whether there was more. It does not end within a character.
func (h *Head) Text() (kept string, truncated bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dropped {
		if !h.full {
			h.overwrite()
		}
		return string(h.kept[:len(h.kept)-text.Unfinished(h.kept)]), true
	}
	return string(h.kept), false
}
