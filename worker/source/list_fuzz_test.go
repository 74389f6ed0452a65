package source

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzCSV holds the reading of rows against package csv's reading of the whole text: either both refuse it, or each row with any text
// is an object with its fields. Package csv makes a line feed of each line end in a field.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{"a,b\n1,2\n", "a\n\"x\ny\"\n", "a,a\n", "a\r\n\"\"\r\n,", "\ufeffa,b\n1,\"2", "a b,c.d\n<,\u2028\n", "a;b\n", "\xff", "a\n\"b\"c\n", "a\n\"b\r\nc\rd\"\r\n", "a\n\"b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := read(text, Layout{CSV, '\n'})
		if line := (*LineError)(nil); err != nil && (!errors.As(err, &line) || line.Line < 1 || line.Column < 1) {
			t.Fatalf("%q: %v is no LineError", text, err)
		}
		all := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
		rows, csvErr := all.ReadAll()
		if csvErr != nil || !utf8.ValidString(text) {
			if err == nil {
				t.Fatalf("%q is read, with %v", text, csvErr)
			}
			return
		}
		if err != nil {
			return // the header is refused
		}
		var want []string
		for i, row := range rows {
			if i > 0 && strings.Join(row, "") != "" {
				want = append(want, strings.Join(row, "\x00"))
			}
		}
		var fields []string
		for _, item := range got {
			var object map[string]string
			if err := json.Unmarshal([]byte(item), &object); err != nil {
				t.Fatalf("%q: %q: %v", text, item, err)
			}
			var row []string
			for _, name := range rows[0] {
				row = append(row, strings.ReplaceAll(object[strings.TrimSpace(name)], "\r\n", "\n"))
			}
			fields = append(fields, strings.Join(row, "\x00"))
		}
		if !slices.Equal(fields, want) {
			t.Errorf("%q: got %q, want %q", text, fields, want)
		}
	})
}

// FuzzJSONL: either every line is JSON and an item, or the error has the number of the first line that is not.
func FuzzJSONL(f *testing.F) {
	for _, text := range []string{"1\n2", "{\"a\": 1}\r\n\n\"x\"", "[1]", "null", "1 2\n", "{", "\"\xff\"", "\ufeff1", "\"\\ud800\""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := read(text, Layout{JSONL, '\n'})
		var line *LineError
		if err != nil && !errors.As(err, &line) {
			t.Fatalf("%q: %v is no LineError", text, err)
		}
		items := 0
		for i, one := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
			one = strings.TrimSuffix(one, "\r")
			if strings.Trim(one, " \t") == "" {
				continue
			}
			want, valid := allItems("[" + one + "]")
			if strings.HasPrefix(one, "\xff\xfe") || strings.HasPrefix(one, "\xfe\xff") || !utf8.ValidString(one) || !valid || !json.Valid([]byte(one)) || strings.Contains(one, "\r") {
				if line == nil || line.Line != i+1 {
					t.Errorf("%q: got %v, want an error in line %d", text, err, i+1)
				}
				return
			}
			if items >= len(got) || got[items] != want[0] {
				t.Fatalf("%q: item %d of %q, want %q", text, items, got, want[0])
			}
			items++
		}
		if err != nil || items != len(got) {
			t.Errorf("%q: got %q, %v; want %d items", text, got, err, items)
		}
	})
}
