package config

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// word checks that a value is one of a few.
func word(value string, words ...string) (string, error) {
	if !slices.Contains(words, value) {
		return "", errors.New("not one of " + strings.Join(words, ", "))
	}
	return value, nil
}

// Delimiter is the byte that ends an item in a list of items.
type Delimiter byte

// Decode implements envconfig.Decoder.
func (d *Delimiter) Decode(value string) error {
	name, err := word(value, "newline", "nul")
	if *d = '\n'; name == "nul" {
		*d = 0
	}
	return err
}

// Expected says what Decode takes.
func (*Delimiter) Expected() string { return "newline or nul" }

// Mode is how a command meets its items.
type Mode string

// The modes.
const (
	Exec   Mode = "exec"
	Batch  Mode = "batch"
	Stream Mode = "stream"
)

// Decode implements envconfig.Decoder.
func (m *Mode) Decode(value string) error {
	name, err := word(value, string(Exec), string(Batch), string(Stream))
	*m = Mode(name)
	return err
}

// Expected says what Decode takes.
func (*Mode) Expected() string { return "exec, batch or stream" }

// Output is how the output of commands is passed on.
type Output string

// Decode implements envconfig.Decoder.
func (o *Output) Decode(value string) error {
	name, err := word(value, "raw", "tagged", "json")
	*o = Output(name)
	return err
}

// Expected says what Decode takes.
func (*Output) Expected() string { return "raw, tagged or json" }

// Pattern is a regular expression, or nil for none.
type Pattern struct{ *regexp.Regexp }

// Decode implements envconfig.Decoder.
func (p *Pattern) Decode(value string) (err error) {
	if value != "" {
		p.Regexp, err = regexp.Compile(value)
	}
	return err
}

// Expected says what Decode takes.
func (*Pattern) Expected() string {
	return `a regular expression, such as \.pdf$ or ^2024- (see https://pkg.go.dev/regexp/syntax)`
}

// Matches says whether the pattern is found in the text; without a pattern it always is.
func (p Pattern) Matches(text string) bool { return p.Regexp == nil || p.MatchString(text) }
