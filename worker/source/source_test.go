package source

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for _, test := range []struct {
		text      string
		delimiter byte
		want      []string
	}{
		{"", '\n', nil},
		{"a\nb\n", '\n', []string{"a", "b"}},
		{"a\n\n\nb", '\n', []string{"a", "b"}},
		{" a \r\n\x00\xff\n", '\n', []string{" a \r", "\x00\xff"}},
		{long + "\n" + long, '\n', []string{long, long}},
		{"a\nb\x00\x00c", 0, []string{"a\nb", "", "c"}},
		{"\x00", 0, []string{""}},
	} {
		var got []string
		err := NewLines(strings.NewReader(test.text), test.delimiter).Each(func(payload string) error {
			got = append(got, payload)
			return nil
		})
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%.20q: got %.60q, %v; want %.60q", test.text, got, err, test.want)
		}
	}
	endless := bytes.NewReader(make([]byte, maxItem+1))
	if err := NewLines(endless, '\n').Each(func(string) error { return nil }); err == nil {
		t.Error("an item of any length is read")
	}
}

func TestRange(t *testing.T) {
	const maxInt = "9223372036854775807"
	for _, test := range []struct {
		value string
		want  string
		wrong bool
	}{
		{value: ""},
		{value: `{"start": 1, "end": 3}`, want: "1 2 3"},
		{value: `{"start": 0, "end": 10, "step": 4, "format": "p%03d.html"}`, want: "p000.html p004.html p008.html"},
		{value: `{"start": 2, "end": -2, "step": -2}`, want: "2 0 -2"},
		{value: `{"start": 3, "end": 1}`},
		{value: `{"start": 9223372036854775806, "end": ` + maxInt + `}`, want: "9223372036854775806 " + maxInt},
		{value: `{"start": -9223372036854775807, "end": -9223372036854775808, "step": -1}`,
			want: "-9223372036854775807 -9223372036854775808"},
		{value: `{"start": 1, "end": 1, "format": "%d %%"}`, want: "1 %"},
		{value: `{"start": 1}`, wrong: true},
		{value: `{"start": 1, "end": 2, "step": 0}`, wrong: true},
		{value: `{"start": 1, "end": 2, "format": "page"}`, wrong: true},
		{value: `{"start": 1, "end": 2, "format": "%d-%d"}`, wrong: true},
		{value: `{"start": 1, "end": 2, "format": "%s"}`, wrong: true},
		{value: `{"start": 1.5, "end": 2}`, wrong: true},
		{value: `[1, 2]`, wrong: true},
	} {
		var r Range
		err := r.Decode(test.value)
		var got []string
		if err == nil {
			err = r.Each(func(payload string) error {
				got = append(got, payload)
				return nil
			})
		}
		if (err != nil) != test.wrong || strings.Join(got, " ") != test.want {
			t.Errorf("%s: got %q, %v; want %q", test.value, got, err, test.want)
		}
	}
}
