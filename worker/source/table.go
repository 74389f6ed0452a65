package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/fields"
)

// row is a row of a table. Its memory is used again for the next one.
type row struct {
	text  []byte // of all fields
	cells []cell
	blank bool // it is an empty line
}

// cell is a field of a row, and where it begins.
type cell struct {
	text         string
	line, column int // counted from 1
	start        int // in the text of the row
}

func (r *row) reset(line []byte) { r.text, r.cells, r.blank = r.text[:0], r.cells[:0], len(line) == 0 }

func (r *row) begin(line, column int) {
	r.cells = append(r.cells, cell{line: line, column: column, start: len(r.text)})
}

func (r *row) append(text []byte) { r.text = append(r.text, text...) }

// finish gives each cell its text. It refuses what a JSON object cannot hold.
func (r *row) finish() error {
	text, end := string(r.text), len(r.text)
	for i, c := range slices.Backward(r.cells) {
		r.cells[i].text = text[c.start:end]
		end = c.start
	}
	for _, c := range r.cells {
		if !utf8.ValidString(c.text) {
			return c.wrong(notUTF8)
		}
	}
	return nil
}

// isEmpty reports whether the row has no text. Such a row is no item, like an empty line: spreadsheets leave them.
func (r *row) isEmpty() bool { return len(r.text) == 0 }

func (c *cell) wrong(format string, args ...any) error {
	return &LineError{c.line, c.column, fmt.Sprintf(format, args...)}
}

// eachRow calls each for every row below the header, as a JSON object of strings. read reads a row that has at least a cell.
func (l *List) eachRow(read func() error, each func(payload string) error) error {
	var names []string
	for {
		l.begin()
		err := read()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
		case l.row.blank:
		case names == nil:
			names, err = l.header()
		case len(l.row.cells) != len(names):
			err = l.miscounted(len(names))
		case !l.row.isEmpty():
			err = each(l.row.object(names))
		}
		if err != nil {
			return err
		}
	}
}

// readTSV reads a row. Tabs separate its fields, and every other character is part of a field.
func (l *List) readTSV() error {
	line, err := l.plainLine()
	if err != nil {
		return err
	}
	l.row.reset(line)
	column := 1
	for field := range bytes.SplitSeq(line, []byte{'\t'}) {
		l.row.begin(l.line, column)
		l.row.append(field)
		column += len(field) + 1
	}
	return l.row.finish()
}

// readCSV reads a row as RFC 4180 describes it. A line end is a line feed with or without a carriage return before it.
func (l *List) readCSV() error {
	line, err := l.readLine()
	if err != nil {
		return err
	}
	l.row.reset(trimEnd(line))
	for at := 0; ; at++ { // past the comma
		l.row.begin(l.line, at+1)
		if at < len(line) && line[at] == '"' {
			line, at, err = l.readQuoted(line, at+1)
		} else {
			at, err = l.readUnquoted(trimEnd(line), at)
		}
		switch {
		case err != nil:
			return err
		case at == len(trimEnd(line)):
			return l.row.finish()
		}
	}
}

// readUnquoted reads a field. It returns the place after it, where there is a comma or the end of the line.
func (l *List) readUnquoted(line []byte, at int) (int, error) {
	field, _, _ := bytes.Cut(line[at:], []byte{','})
	switch special := bytes.IndexAny(field, "\"\r"); {
	case special < 0:
		l.row.append(field)
		return at + len(field), nil
	case field[special] == '\r':
		return 0, l.wrong(at+special, loneReturn)
	default:
		return 0, l.wrong(at+special, `a field with a quote in it has to be in quotes, and the quote doubled: "5"" pipe"`)
	}
}

// readQuoted reads a field after its first quote, and the lines in which it goes on. It returns the last of them, and the place after the
// field, where there is a comma or the end of that line.
func (l *List) readQuoted(line []byte, at int) ([]byte, int, error) {
	opened := l.row.cells[len(l.row.cells)-1]
	for {
		part, _, closed := bytes.Cut(line[at:], []byte{'"'})
		l.row.append(part)
		at += len(part) + 1
		end := len(trimEnd(line))
		switch {
		case !closed:
			var err error
			if line, err = l.readLine(); err == io.EOF {
				err = opened.wrong(`the quote that begins this field has no end; a quote in a field has to be doubled: "5"" pipe"`)
			}
			if at = 0; err != nil {
				return nil, 0, err
			}
		case at < len(line) && line[at] == '"':
			l.row.append(line[at : at+1])
			at++
		case at == end || line[at] == ',':
			return line, at, nil
		case line[at] == '\r':
			return nil, 0, l.wrong(at, loneReturn)
		default:
			problem := `a quote ends the field, and no comma follows; a quote in a field has to be doubled: "5"" pipe"`
			if opened.line != l.line {
				problem += fmt.Sprintf(" (the field begins in line %d)", opened.line)
			}
			return nil, 0, l.wrong(at-1, problem)
		}
	}
}

// miscounted returns the error about a row with another number of fields than the header.
func (l *List) miscounted(want int) error {
	wayOut := "a field with a comma in it has to be in quotes"
	if l.layout.Format == TSV {
		wayOut = "each tab separates two fields, and quotes change nothing in tsv; a table with quotes can be saved as csv"
	}
	return l.row.cells[0].wrong("the row has %s, and the header has %d; %s", count(len(l.row.cells), "field"), want, wayOut)
}

// header returns the names of the fields.
func (l *List) header() ([]string, error) {
	cells := l.row.cells
	names := make([]string, len(cells))
	seen := make(map[string]bool, len(cells))
	for i, c := range cells {
		name := strings.TrimSpace(c.text)
		switch {
		case name == "":
			return nil, c.wrong("the header has a field without a name; name it, or remove the column")
		case seen[name]:
			return nil, c.wrong("the header has the name %q twice; rename one of the columns", name)
		}
		names[i], seen[name] = name, true
	}
	if err := fields.CheckNames(names); err != nil {
		return nil, cells[0].wrong("%v", err)
	}
	if len(names) > 1 {
		return names, nil
	}
	separator, other, otherSeparator := "a comma", TSV, "\t"
	if l.layout.Format == TSV {
		separator, other, otherSeparator = "a tab", CSV, ","
	}
	switch only := cells[0]; {
	case strings.Contains(only.text, otherSeparator):
		return nil, only.wrong("the header has a single field, %s: with the format %s, %s separates fields; use the format %s", names[0], l.layout.Format, separator, other)
	case strings.Contains(only.text, ";"):
		return nil, only.wrong("the header has a single field, %s: with the format %s, %s separates fields; save the table with that", names[0], l.layout.Format, separator)
	}
	return names, nil
}

// object returns the row as a JSON object, with the fields in the order of the header.
func (r *row) object(names []string) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	write := func(before byte, field string) {
		text.WriteByte(before)
		_ = encoder.Encode(field)     // a string is always JSON
		text.Truncate(text.Len() - 1) // its line end
	}
	before := byte('{')
	for i, name := range names {
		write(before, name)
		write(':', r.cells[i].text)
		before = ','
	}
	text.WriteByte('}')
	return text.String()
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
