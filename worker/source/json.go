package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/workqueue/workqueue/worker/fields"
)

// JSON reads a file that holds a JSON array of items.
func JSON(ctx context.Context, path string, each func(payload string) error) error {
	return from(ctx, each, func(each func(string) error) error {
		file, err := open(ctx, path)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := readJSON(Interruptible(ctx, file), each); err != nil {
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

// Payload returns the payload of a valid JSON value. The error says what the value is instead of an item.
func Payload(raw json.RawMessage) (payload string, err error) {
	wrong := ""
	switch raw[0] {
	case '"':
		text, err := fields.Text(raw)
		if err == nil {
			return text, nil
		}
		wrong = err.Error()
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
