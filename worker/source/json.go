package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// JSON reads a file that holds a JSON array of items.
func JSON(path string, each func(payload string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return &Error{err, true}
	}
	defer file.Close()
	return from(each, func(each func(string) error) error {
		if err := readJSON(file, each); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

// itemError says which item of a file cannot be one.
type itemError struct {
	index int
	what  string
}

func (e *itemError) Error() string {
	if e.index < 0 {
		return e.what
	}
	return fmt.Sprintf("items[%d] is %s: an item is a string, a number or an object", e.index, e.what)
}

// readJSON reads a JSON array of items and hands each over as a payload: strings as they are, numbers as they are
// written, objects as compact JSON.
func readJSON(r io.Reader, each func(payload string) error) error {
	decoder := json.NewDecoder(r)
	token, err := decoder.Token()
	if delim, ok := token.(json.Delim); err != nil || !ok || delim != '[' {
		return &itemError{-1, "not a JSON array of items"}
	}
	for index := 0; decoder.More(); index++ {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return &itemError{-1, fmt.Sprintf("not JSON after %d items: %v", index, err)}
		}
		payload, err := payload(index, raw)
		if err != nil {
			return err
		}
		if err := each(payload); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return &itemError{-1, "the JSON array of items does not end"}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return &itemError{-1, "something follows the JSON array of items"}
	}
	return nil
}

func payload(index int, raw json.RawMessage) (string, error) {
	switch raw[0] {
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err
	case '{':
		var compact bytes.Buffer
		err := json.Compact(&compact, raw)
		return compact.String(), err
	case '[':
		return "", &itemError{index, "a list"}
	case 'n':
		return "", &itemError{index, "null"}
	case 't', 'f':
		return "", &itemError{index, "true or false"}
	}
	return string(raw), nil
}
