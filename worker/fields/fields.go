// Package fields reads the fields of an item that is a JSON object.
package fields

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Object is an item's fields, each as it is written.
type Object map[string]json.RawMessage

// Parse returns the fields of an item, nil if it is not a JSON object. The error is for an object whose fields cannot all be had as they are.
func Parse(payload string) (Object, error) {
	if !strings.HasPrefix(strings.TrimLeft(payload, " \t\r\n"), "{") || !json.Valid([]byte(payload)) {
		return nil, nil
	}
	if !utf8.ValidString(payload) {
		return nil, errors.New("the item is a JSON object with bytes that are not UTF-8, so its fields cannot be read: write it in UTF-8")
	}
	decoder := json.NewDecoder(strings.NewReader(payload))
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	object := Object{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, err
		}
		field := name.(string)
		if _, again := object[field]; again {
			return nil, fmt.Errorf("the item has the field %s twice: remove one of them", field)
		}
		object[field] = raw
	}
	return object, nil
}

var segment = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(quoted + `|` + words) })

// Field returns the text of a field: a string as it is, anything else as it is written. A path a.b is the field of that name, or
// the field b of the field a. With a name in quotes, as in "a.b".c, each name is one field. The error is for a field that is missing or null, or is not
// text.
func (o Object) Field(path string) (string, error) {
	value, err := o.find(path)
	switch {
	case err != nil:
		return "", err
	case value == nil:
		return "", fmt.Errorf("the item has no field %s; its fields are %s", path, o.names())
	case string(value) == "null":
		return "", fmt.Errorf("the item's field %s is null", path)
	}
	text, err := Text(value)
	if err != nil {
		return "", fmt.Errorf("the item's field %s is %w", path, err)
	}
	return text, nil
}

// find returns a field as it is written, nil if there is none.
func (o Object) find(path string) (json.RawMessage, error) {
	if !strings.Contains(path, `"`) {
		return o.findPlain(path)
	}
	names := segment().FindAllString(path, -1)
	var value json.RawMessage
	for i, name := range names {
		if name[0] == '"' {
			_ = json.Unmarshal([]byte(name), &name) // it was checked
		}
		if value = o[name]; value == nil || i == len(names)-1 {
			break
		}
		var err error
		if o, err = Parse(string(value)); err != nil {
			return nil, err
		}
	}
	return value, nil
}

func (o Object) findPlain(path string) (json.RawMessage, error) {
	if value, found := o[path]; found {
		return value, nil
	}
	first, rest, nested := strings.Cut(path, ".")
	if !nested {
		return nil, nil
	}
	within, err := Parse(string(o[first]))
	if err != nil || within == nil {
		return nil, err
	}
	return within.findPlain(rest)
}

// names lists the first fields.
func (o Object) names() string {
	const most = 20
	names := slices.Sorted(maps.Keys(o))
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return strings.Join(names, ", ")
}

// paired matches a JSON string whose surrogates come in pairs: \ud83d\ude00.
var paired = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^"(?:[^\\]|\\[^u]|\\u(?:[0-9a-cef][0-9a-f]{3}|d[0-7][0-9a-f]{2}|d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}))*"$`)
})

// Text returns the text of a valid JSON value: a string as it is, anything else as it is written. The error says what the string is instead of text.
func Text(raw json.RawMessage) (string, error) {
	if raw[0] != '"' {
		return string(raw), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", err
	}
	// Unmarshal puts U+FFFD in the place of what is not text.
	if strings.ContainsRune(text, utf8.RuneError) && !(utf8.Valid(raw) && paired().Match(raw)) {
		return "", errors.New(`a string that is not all text, with bytes that are not UTF-8 or half of a surrogate pair such as \ud83d`)
	}
	return text, nil
}
