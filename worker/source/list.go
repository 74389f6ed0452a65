package source

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// Format is how a list of items is written.
type Format string

// The formats.
const (
	Lines Format = "lines" // one item a line
	CSV   Format = "csv"   // as package encoding/csv reads it; a header names the fields of the items, which are JSON objects
	TSV   Format = "tsv"   // the same with tabs in place of commas
	JSONL Format = "jsonl" // a JSON string, number or object a line
)

// Layout is a format and its delimiter.
type Layout struct {
	Format    Format
	Delimiter byte // that ends each of the Lines: '\n', or 0 for items of any bytes
}

// maxItem is the longest item that is read from a list, in bytes. Without a limit, a list with the wrong delimiter would
// be one item that fills the memory.
const maxItem = 64 << 20

// List is a list of items that is read once, in constant memory.
type List struct {
	layout Layout
	limit  *limit
	buffer *bufio.Reader
	line   int // that was read last, counted from 1
}

// NewList reads from r. Unless the delimiter is 0, what Windows adds to a text is not part of the items: a byte order mark, and a
// carriage return at the end of a line.
func NewList(r io.Reader, layout Layout) *List {
	l := &limit{Reader: r}
	l.restart()
	return &List{layout: layout, limit: l, buffer: bufio.NewReaderSize(l, bufferSize)}
}

// Each calls each for every item until it returns an error, which it then returns. What is wrong with the list is a *LineError.
func (l *List) Each(each func(payload string) error) error {
	if l.layout.Delimiter != 0 {
		if err := l.skipMark(); err != nil {
			return err
		}
	}
	switch l.layout.Format {
	case CSV:
		return l.eachRow(',', each)
	case TSV:
		return l.eachRow('\t', each)
	case JSONL:
		return l.eachLine(func(line []byte) error {
			payload, err := l.jsonLine(line)
			if err != nil || payload == nil {
				return err
			}
			return each(*payload)
		})
	}
	return l.eachLine(func(line []byte) error {
		// As with xargs, an empty line is no item, whereas between two NULs there is one, the empty item.
		if len(line) == 0 && l.layout.Delimiter != 0 {
			return nil
		}
		return each(string(line))
	})
}

// More reports whether more is read already, so that the next item will probably not keep anyone waiting.
func (l *List) More() bool { return l.buffer.Buffered() > 0 }

// LineError is what is wrong with a list, and where.
type LineError struct {
	Line, Column int // counted from 1; the column in bytes
	Problem      string
}

func (e *LineError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

const (
	notUTF8 = "the text is not UTF-8; save it as UTF-8"
	utf16   = "the text is UTF-16; save it as UTF-8"
)

// skipMark skips a byte order mark.
func (l *List) skipMark() error {
	const utf8Mark, utf16Mark, utf16SwappedMark = "\ufeff", "\xfe\xff", "\xff\xfe"
	switch {
	case l.startsWith(utf16Mark), l.startsWith(utf16SwappedMark):
		return &LineError{1, 1, utf16}
	case l.startsWith(utf8Mark):
		_, err := l.buffer.Discard(len(utf8Mark))
		return err
	}
	return nil
}

// startsWith reports whether the list starts with a text. It waits for no more of the list than it takes to know.
func (l *List) startsWith(text string) bool {
	for n := 1; n <= len(text); n++ {
		if start, _ := l.buffer.Peek(n); string(start) != text[:n] {
			return false
		}
	}
	return true
}

// eachLine calls each for what stands before each delimiter, and for a last line without one. The line is valid until each returns.
func (l *List) eachLine(each func(line []byte) error) error {
	for {
		line, err := l.next()
		if err != nil && err != io.EOF {
			return err
		}
		if err == nil || len(line) > 0 {
			if err := each(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// next returns a line without its end, and io.EOF with or after the last.
func (l *List) next() ([]byte, error) {
	l.line++
	l.limit.restart()
	var long []byte
	part, err := l.buffer.ReadSlice(l.layout.Delimiter)
	for err == bufio.ErrBufferFull {
		long = append(long, part...)
		part, err = l.buffer.ReadSlice(l.layout.Delimiter)
	}
	if long != nil {
		part = append(long, part...)
	}
	if err == errTooLong {
		return nil, l.tooLong()
	}
	if err == nil {
		part = part[:len(part)-1]
	}
	if l.layout.Delimiter == '\n' {
		part = bytes.TrimSuffix(part, []byte{'\r'})
	}
	return part, err
}

func (l *List) tooLong() error {
	return &LineError{l.line, 1, fmt.Sprintf("an item is longer than %d bytes; check its end: the delimiter, or a quote", maxItem)}
}
