package source

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzReadJSON holds the reading of items one by one against a plain parse of the whole list.
func FuzzReadJSON(f *testing.F) {
	for _, text := range []string{`[]`, `["a","b"]`, ` [ 1 , 2.50 , -0, 1e9 ] `, `[{"b" : 1, "a":[ ]}]`, `["\u0000\ud83d\ude00"]`, `["\ud800"]`,
		`[null]`, `[true]`, `[[1]]`, `{}`, `"a"`, `["a"`, `["a",`, `["a"]]`, `["a"] ["b"]`, `["a"]x`, `[1 2]`, `[01]`, `[,]`, "", "[\"\xff\"]", "\ufeff[1]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got []string
		err := readJSON(strings.NewReader(text), func(payload string) error {
			got = append(got, payload)
			return nil
		})
		want, valid := allItems(strings.TrimPrefix(text, "\ufeff"))
		if (err == nil) != valid || (valid && !slices.Equal(got, want)) {
			t.Errorf("%q: got %q, %v; want %q, %v", text, got, err, want, valid)
		}
	})
}

var (
	pair      = regexp.MustCompile(`\\u[dD][89abAB]..\\u[dD][c-fC-F]..`)
	surrogate = regexp.MustCompile(`\\u[dD][89a-fA-F]`)
)

func allItems(text string) (items []string, valid bool) {
	var list []json.RawMessage
	if json.Unmarshal([]byte(text), &list) != nil || list == nil {
		return nil, false
	}
	for _, raw := range list {
		switch raw[0] {
		case '"':
			var item string
			_ = json.Unmarshal(raw, &item)
			escapes := strings.ReplaceAll(string(raw), `\\`, "")
			if !utf8.Valid(raw) || surrogate.MatchString(pair.ReplaceAllString(escapes, "")) {
				return nil, false
			}
			items = append(items, item)
		case '{':
			var compact bytes.Buffer
			_ = json.Compact(&compact, raw)
			items = append(items, compact.String())
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			items = append(items, string(raw))
		default:
			return nil, false
		}
	}
	return items, true
}
