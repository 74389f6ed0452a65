package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
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

// readJSON reads a JSON array of items and hands each over as a payload: strings as they are, numbers as they are
// written, objects as compact JSON.
func readJSON(r io.Reader, each func(payload string) error) error {
	buffer := bufio.NewReader(r)
	if err := checkJSON(buffer); err != nil {
		return err
	}
	decoder := json.NewDecoder(buffer)
	token, err := decoder.Token()
	if delim, ok := token.(json.Delim); err != nil || !ok || delim != '[' {
		return errors.New("not a JSON array of items")
	}
	for index := 0; decoder.More(); index++ {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return fmt.Errorf("not JSON after %d items: %w", index, err)
		}
		payload, err := Payload(raw)
		if err != nil {
			return fmt.Errorf("items[%d] is %w", index, err)
		}
		if err := each(payload); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return errors.New("the JSON array of items does not end")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("something follows the JSON array of items")
	}
	return nil
}

// paired matches a JSON string whose surrogates come in pairs: \ud83d\ude00.
var paired = regexp.MustCompile(`(?i)^"(?:[^\\]|\\[^u]|\\u(?:[0-9a-cef][0-9a-f]{3}|d[0-7][0-9a-f]{2}|d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}))*"$`)

// Payload returns the payload of a valid JSON value. The error says what the value is instead of an item.
func Payload(raw json.RawMessage) (payload string, err error) {
	wrong := ""
	switch raw[0] {
	case '"':
		var text string
		_ = json.Unmarshal(raw, &text)
		// Unmarshal puts U+FFFD in the place of what is not text.
		if strings.ContainsRune(text, utf8.RuneError) && !(utf8.Valid(raw) && paired.Match(raw)) {
			wrong = `a string that is not all text, with bytes that are not UTF-8 or half of a surrogate pair such as \ud83d`
			break
		}
		return text, nil
	case '{':
		var compact bytes.Buffer
		_ = json.Compact(&compact, raw)
		return compact.String(), nil
	case '[':
		wrong = "a list"
	case 'n':
		wrong = "null"
	case 't', 'f':
		wrong = "true or false"
	default:
		return string(raw), nil
	}
	return "", errors.New(wrong + ": an item is a string, a number or an object")
}
