package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/text"
)

// fields are those of an object, nil where it has none.
type fields struct {
	names                        []string
	id, status, reason, encoding *string
	result                       json.RawMessage
	push                         []json.RawMessage
}

// readFields reads an object that is the whole line.
func readFields(line []byte) (f fields, err error) {
	switch {
	case !utf8.Valid(line):
		return f, errors.New("it is not UTF-8: send other bytes in base64")
	case !json.Valid(line):
		var value json.RawMessage
		if decoder := json.NewDecoder(bytes.NewReader(line)); decoder.Decode(&value) == nil {
			return f, errors.New("something follows the JSON object: write each message as one line at once")
		}
		return f, fmt.Errorf("it is not a whole JSON object: %v", json.Unmarshal(line, &value))
	}
	return f, eachField(line, f.set)
}

// eachField calls set with each field of a valid JSON object in UTF-8, until it returns an error. Package json would take ten times as long to find
// them.
func eachField(object []byte, set func(name string, value json.RawMessage) error) error {
	rest := trim(object[1:])
	for rest[0] != '}' {
		end := valueEnd(rest)
		name, err := unquote(rest[:end])
		if err != nil {
			return err
		}
		rest = trim(trim(rest[end:])[1:]) // the colon
		end = valueEnd(rest)
		if err := set(name, rest[:end]); err != nil {
			return err
		}
		if rest = trim(rest[end:]); rest[0] == ',' {
			rest = trim(rest[1:])
		}
	}
	return nil
}

// trim removes the space that JSON allows between tokens.
func trim(s []byte) []byte { return bytes.TrimLeft(s, " \t\r\n") }

// valueEnd returns the length of the value that valid JSON begins with.
func valueEnd(s []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch s[i] {
		case '"':
			for i++; s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth == 0 { // after a number or a word
				return i
			}
			depth--
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
}

// unquote returns the text of a JSON string.
func unquote(raw []byte) (s string, err error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	err = json.Unmarshal(raw, &s)
	return s, err
}

func (f *fields) set(name string, raw json.RawMessage) error {
	if slices.Contains(f.names, name) {
		return fmt.Errorf("it has the field %s twice", text.Shorten(name, 40))
	}
	f.names = append(f.names, name)
	switch name {
	case "id":
		if raw[0] >= '0' && raw[0] <= '9' && !bytes.ContainsAny(raw, ".eE") {
			id := string(raw)
			f.id = &id
			return nil
		}
		return f.text(&f.id, name, raw)
	case "status":
		return f.text(&f.status, name, raw)
	case "reason":
		return f.text(&f.reason, name, raw)
	case "encoding":
		return f.text(&f.encoding, name, raw)
	case "result":
		f.result = raw
		return nil
	case "push":
		if raw[0] != '[' || json.Unmarshal(raw, &f.push) != nil {
			return fmt.Errorf("its push is %s: it must be a list of items", text.Shorten(string(raw), 100))
		}
		return nil
	}
	return fmt.Errorf("%q is not a field of a message", text.Shorten(name, 40))
}

func (f *fields) text(field **string, name string, raw json.RawMessage) error {
	if raw[0] != '"' {
		return fmt.Errorf("its %s is %s: it must be a string", name, text.Shorten(string(raw), 100))
	}
	value, err := unquote(raw)
	*field = &value
	return err
}
