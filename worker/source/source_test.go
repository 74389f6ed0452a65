package source

import (
	"strings"
	"testing"
)

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
