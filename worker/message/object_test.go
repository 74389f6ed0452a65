package message

import (
	"encoding/json"
	"maps"
	"testing"
	"unicode/utf8"
)

// FuzzEachField holds that the fields of an object are those that package json finds.
func FuzzEachField(f *testing.F) {
	for _, object := range []string{`{}`, ` {"a" : 1 , "b":[{"c":"]}"}], "d\"":"\\", "\u0065":null}`, `{"a":-1.5e3}`, `{"a":{},"a":[]}`} {
		f.Add([]byte(object))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var want map[string]json.RawMessage
		object := trim(line)
		if !utf8.Valid(line) || json.Unmarshal(object, &want) != nil || object[0] != '{' {
			return
		}
		got := map[string]json.RawMessage{}
		err := eachField(object, func(name string, value json.RawMessage) error {
			got[name] = value
			return nil
		})
		if same := func(a, b json.RawMessage) bool { return string(a) == string(b) }; err != nil || !maps.EqualFunc(got, want, same) {
			t.Errorf("%q has the fields %q, %v; package json finds %q", object, got, err, want)
		}
	})
}
