package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sync"
)

// Range is whole numbers from Start to End, both among them if the steps lead there, as seq(1) counts.
type Range struct {
	Start  int64  `json:"start"`
	End    int64  `json:"end"`
	Step   int64  `json:"step"`
	Format string `json:"format"` // with one %d, or %05d, for the number
}

// number is a format with one place for a number.
var number = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[^%]|%%)*%0?[0-9]*d(?:[^%]|%%)*$`)
})

// Decode implements envconfig.Decoder.
func (r *Range) Decode(value string) error {
	if value == "" {
		return nil
	}
	var given struct { // pointers, so that a missing number differs from 0
		Start, End, Step *int64
		Format           *string
	}
	if err := json.Unmarshal([]byte(value), &given); err != nil {
		return err
	}
	*r = Range{Step: 1, Format: "%d"}
	if given.Start == nil || given.End == nil {
		return errors.New("no start or no end")
	}
	r.Start, r.End = *given.Start, *given.End
	if given.Step != nil {
		r.Step = *given.Step
	}
	if given.Format != nil {
		r.Format = *given.Format
	}
	if r.Step == 0 || !number().MatchString(r.Format) {
		return errors.New("no step or no place for the number")
	}
	return nil
}

// Expected says what Decode takes.
func (*Range) Expected() string {
	return `a JSON object with whole numbers, such as {"start": 1, "end": 100, "step": 1, "format": "page-%03d.html"}, ` +
		`with a step that is not 0 and one %d in the format`
}

// Each calls each for every item until it returns an error. The zero Range has none.
func (r Range) Each(each func(payload string) error) error {
	if r.Step == 0 {
		return nil
	}
	for n := r.Start; (r.Step > 0 && n <= r.End) || (r.Step < 0 && n >= r.End); n += r.Step {
		if err := each(fmt.Sprintf(r.Format, n)); err != nil {
			return err
		}
		if (r.Step > 0 && n > r.End-r.Step) || (r.Step < 0 && n < r.End-r.Step) {
			return nil // before n overflows
		}
	}
	return nil
}
