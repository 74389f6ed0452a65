package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// jsonLine returns the payload of a line of JSON Lines, nil for an empty one.
func (l *List) jsonLine(line []byte) (*string, error) {
	start := bytes.TrimLeft(line, " \t")
	if len(start) == 0 {
		return nil, nil
	}
	for at := 0; at < len(line); {
		r, size := utf8.DecodeRune(line[at:])
		if r == utf8.RuneError && size == 1 {
			return nil, &LineError{l.line, at + 1, notUTF8}
		}
		at += size
	}
	var value json.RawMessage
	if err := json.Unmarshal(line, &value); err != nil {
		column := 1
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			column = max(int(syntax.Offset), 1)
		}
		return nil, &LineError{l.line, column, "not JSON: " + err.Error() + ": each line is a value of its own"}
	}
	payload, err := Payload(bytes.TrimSpace(value))
	if err != nil {
		return nil, &LineError{l.line, len(line) - len(start) + 1, err.Error()}
	}
	return &payload, nil
}
