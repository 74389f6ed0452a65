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
	CSV   Format = "csv"   // rows as in RFC 4180; a header names the fields of the items, which are JSON objects
	TSV   Format = "tsv"   // rows of fields that tabs separate, without any quoting; a header names the fields, as in CSV
	JSONL Format = "jsonl" // a JSON string, number or object a line
)

// Layout is a format and its delimiter.
type Layout struct {
	Format    Format
	Delimiter byte // that ends each of the Lines: '\n', or 0 for items of any bytes
}

func (l Layout) isText() bool { return l.Delimiter != 0 }

// maxItem is the longest item that is read from a list, in bytes. Without a limit, a list with the wrong delimiter would
// be one item that fills the memory.
const maxItem = 64 << 20

// List is a list of items that is read once, in constant memory.
type List struct {
	layout Layout
	limit  *limit
	buffer *bufio.Reader
	ended  bool
	line   int // that was read last, counted from 1
	first  int // line of the item
	row    row
}

// NewList reads from r. Unless the delimiter is 0, a list is text: a byte order mark, and the carriage return of a line end, are not part
// of the items, and what is no text is refused.
func NewList(r io.Reader, layout Layout) *List {
	limited := &limit{Reader: r}
	return &List{layout: layout, limit: limited, buffer: bufio.NewReaderSize(limited, bufferSize)}
}

// Each calls each for every item until it returns an error, which it then returns. What is wrong with the list is a *LineError.
func (l *List) Each(each func(payload string) error) error {
	l.begin()
	if err := checkStart(l.buffer, l.layout.isText()); err != nil {
		return err
	}
	switch l.layout.Format {
	case CSV:
		return l.eachRow(l.readCSV, each)
	case TSV:
		return l.eachRow(l.readTSV, each)
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
		if len(line) == 0 && l.layout.isText() {
			return nil
		}
		return each(string(line))
	})
}

// More reports whether another line is read already, so that the next item will probably not keep anyone waiting.
func (l *List) More() bool {
	read, _ := l.buffer.Peek(l.buffer.Buffered())
	return bytes.IndexByte(read, l.layout.Delimiter) >= 0
}

// LineError is what is wrong with a list, and where.
type LineError struct {
	Line, Column int // counted from 1; the column in bytes
	Problem      string
}

func (e *LineError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

// eachLine calls each for every line without its end. The line is valid until each returns.
func (l *List) eachLine(each func(line []byte) error) error {
	for {
		l.begin()
		line, err := l.plainLine()
		switch {
		case err == io.EOF:
			return nil
		case err == nil:
			err = each(line)
		}
		if err != nil {
			return err
		}
	}
}

// begin begins another item.
func (l *List) begin() {
	l.limit.restart()
	l.first = l.line + 1
}

// plainLine returns the next line without its end. No carriage return is in it if the list is text.
func (l *List) plainLine() ([]byte, error) {
	line, err := l.readLine()
	if err != nil || !l.layout.isText() {
		return bytes.TrimSuffix(line, []byte{0}), err
	}
	line = trimEnd(line)
	if at := bytes.IndexByte(line, '\r'); at >= 0 {
		return nil, l.wrong(at, loneReturn)
	}
	return line, nil
}

// trimEnd returns a line of text without its end.
func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
}

// readLine returns the next line with its end, which only the last may lack, and io.EOF after the last. No NUL is in it if the list is
// text. It is valid until the next call.
func (l *List) readLine() ([]byte, error) {
	if l.ended {
		return nil, io.EOF
	}
	l.line++
	var long []byte
	for {
		part, err := l.buffer.ReadSlice(l.layout.Delimiter)
		if at := bytes.IndexByte(part, 0); at >= 0 && l.layout.isText() {
			return nil, l.wrong(len(long)+at, l.nulByte())
		}
		if err != nil || long != nil {
			long = append(long, part...)
			part = long
		}
		switch err {
		case bufio.ErrBufferFull:
			continue
		case io.EOF:
			if l.ended = true; len(part) > 0 {
				return part, nil
			}
		case errTooLong:
			return nil, &LineError{l.first, 1, fmt.Sprintf("an item is longer than %d bytes; check its end: the delimiter, or a quote", maxItem)}
		}
		return part, err
	}
}

// wrong returns the error about a byte of the line that was read last.
func (l *List) wrong(at int, problem string) error { return &LineError{l.line, at + 1, problem} }
