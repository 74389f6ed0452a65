// Package fields reads the fields of an item that is a JSON object.
package fields

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Object is an item's fields, each as it is written.
type Object map[string]json.RawMessage

// Parse returns the fields of an item. ok is false if it is not a JSON object.
func Parse(payload string) (object Object, ok bool) {
	if !strings.HasPrefix(strings.TrimLeft(payload, " \t\r\n"), "{") {
		return nil, false
	}
	return object, json.Unmarshal([]byte(payload), &object) == nil
}

// Field returns the text of a field: a string as it is, anything else as it is written. A path a.b is the field of that name, or
// the field b of the field a. The error is for a field that is missing or null.
func (o Object) Field(path string) (string, error) {
	if raw, found := o[path]; found {
		if string(raw) == "null" {
			return "", fmt.Errorf("the item's field %s is null", path)
		}
		return text(raw), nil
	}
	if first, rest, nested := strings.Cut(path, "."); nested {
		if within, ok := Parse(string(o[first])); ok {
			if value, err := within.Field(rest); err == nil {
				return value, nil
			}
		}
	}
	return "", fmt.Errorf("the item has no field %s; its fields are %s", path, o.names())
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

func text(raw json.RawMessage) string {
	var value string
	if raw[0] == '"' && json.Unmarshal(raw, &value) == nil {
		return value
	}
	return string(raw)
}

// Reserved are names of other variables that begin like those of fields. They are never a field's.
var Reserved = []string{"WQ_ITEM_ID", "WQ_ITEM_TIMEOUT"}

// prefix is what the names of variables of fields begin with.
const prefix = "WQ_ITEM_"

// Variables returns an assignment NAME=text for each field, sorted. Names are upper case, with _ for whatever is neither a letter
// from A to Z nor a digit. There is none for a field that is null or contains a NUL, for fields whose names become equal, and
// for a name that is Reserved or that taken reports.
func (o Object) Variables(taken func(name string) bool) []string {
	values := map[string]string{}
	twice := map[string]bool{}
	for field, raw := range o {
		name := Variable(field)
		_, again := values[name]
		twice[name] = again || twice[name]
		values[name] = text(raw)
		if string(raw) == "null" {
			values[name] = "\x00"
		}
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !twice[name] && !slices.Contains(Reserved, name) && !taken(name) && !strings.Contains(values[name], "\x00") {
			all = append(all, name+"="+values[name])
		}
	}
	return all
}

// Variable returns the name of the variable of a field: WQ_ITEM_FIRST_NAME for First name.
func Variable(field string) string {
	return prefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, field)
}
