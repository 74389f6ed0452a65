package source

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// eachRow calls each for every row below the header, as a JSON object of strings. A row without any text is no item, like an
// empty line.
func (l *List) eachRow(separator rune, each func(payload string) error) error {
	rows := csv.NewReader(l.buffer) // which it does not buffer again
	rows.Comma, rows.FieldsPerRecord, rows.ReuseRecord = separator, -1, true
	var names []string
	for {
		l.limit.restart()
		row, err := rows.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return l.rowError(err)
		}
		l.line, _ = rows.FieldPos(0)
		wrong := func(field int, format string, args ...any) error {
			line, column := rows.FieldPos(field)
			return &LineError{line, column, fmt.Sprintf(format, args...)}
		}
		for i, field := range row {
			if !utf8.ValidString(field) {
				return wrong(i, notUTF8)
			}
		}
		switch {
		case names == nil:
			if names, err = l.header(row, wrong); err != nil {
				return err
			}
		case len(row) != len(names):
			return wrong(0, "the row has %s, and the header has %d", count(len(row), "field"), len(names))
		case slices.ContainsFunc(row, func(field string) bool { return field != "" }):
			if err := each(object(names, row)); err != nil {
				return err
			}
		}
	}
}

// rowError returns what the user needs to know about an error of package csv.
func (l *List) rowError(err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errTooLong):
		l.line++
		return l.tooLong()
	case !errors.As(err, &parse):
		return err
	case errors.Is(err, csv.ErrBareQuote):
		return &LineError{parse.Line, parse.Column, `a field with a quote in it has to be in quotes, and the quote doubled: "5"" pipe"`}
	}
	problem := `a quoted field has a quote in it that is not doubled, or does not end: "5"" pipe"`
	if parse.StartLine != parse.Line {
		problem += fmt.Sprintf(" (the row begins in line %d)", parse.StartLine)
	}
	return &LineError{parse.Line, parse.Column, problem}
}

// header returns the names of the fields.
func (l *List) header(row []string, wrong func(int, string, ...any) error) ([]string, error) {
	names := make([]string, len(row))
	for i, name := range row {
		name = strings.TrimSpace(name)
		switch {
		case strings.Contains(name, "\r"):
			return nil, wrong(i, "the lines end with a carriage return alone; save the text with line feeds")
		case name == "":
			return nil, wrong(i, "the header has a field without a name; name it, or remove the column")
		case slices.Contains(names[:i], name):
			return nil, wrong(i, "the header has the name %q twice", name)
		}
		names[i] = strings.Clone(name)
	}
	if len(names) > 1 {
		return names, nil
	}
	separator, other, otherSeparator := "a comma", TSV, "\t"
	if l.layout.Format == TSV {
		separator, other, otherSeparator = "a tab", CSV, ","
	}
	switch only := names[0]; {
	case strings.Contains(row[0], otherSeparator):
		return nil, wrong(0, "the header has a single field, %s: with the format %s, %s separates fields; use the format %s", only, l.layout.Format, separator, other)
	case strings.Contains(only, ";"):
		return nil, wrong(0, "the header has a single field, %s: with the format %s, %s separates fields", only, l.layout.Format, separator)
	}
	return names, nil
}

// object returns a row as a JSON object, with the fields in the order of the header.
func object(names, row []string) string {
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
		write(':', row[i])
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
