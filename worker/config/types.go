package config

import (
	"encoding/json"
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"
)

// Mode is how a command meets its items.
type Mode string

// The modes.
const (
	Exec   Mode = "exec"
	Batch  Mode = "batch"
	Stream Mode = "stream"
)

// Delimiter is what ends an item in a list of items: newline or nul.
type Delimiter string

// Byte returns the delimiter itself.
func (d Delimiter) Byte() byte {
	if d == "nul" {
		return 0
	}
	return '\n'
}

// Optional is a whole number that is not negative, or nothing.
type Optional struct {
	Number int
	Set    bool
}

// Decode implements envconfig.Decoder.
func (o *Optional) Decode(value string) (err error) {
	*o = Optional{}
	if value == "" {
		return nil
	}
	o.Number, err = strconv.Atoi(value)
	if o.Set = err == nil; o.Number < 0 {
		return errors.New("negative")
	}
	return err
}

// Expected says what Decode takes.
func (*Optional) Expected() string { return "a whole number, 0 or more" }

// Command is a program and its arguments.
type Command []string

// Decode implements envconfig.Decoder.
func (c *Command) Decode(value string) error {
	if value == "" {
		return nil
	}
	var words []string
	if err := json.Unmarshal([]byte(value), &words); err != nil {
		return err
	}
	if len(words) == 0 || words[0] == "" {
		return errors.New("no program")
	}
	*c = words
	return nil
}

// Expected says what Decode takes.
func (*Command) Expected() string {
	return `a JSON array of strings that begins with a program, such as ["convert", "{}", "out.png"]`
}

// Rate is a number of items per second, 0 for any number.
type Rate float64

// Decode implements envconfig.Decoder.
func (r *Rate) Decode(value string) error {
	*r = 0
	if value == "" {
		return nil
	}
	number, unit, _ := strings.Cut(value, "/")
	items, err := strconv.ParseFloat(number, 64)
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
	if err != nil || seconds == 0 || !(items > 0 && items <= 1e9) {
		return errors.New("not a rate")
	}
	*r = Rate(items / seconds)
	return nil
}

// Expected says what Decode takes.
func (*Rate) Expected() string {
	return "a number of items per second, minute, hour or day, such as 10/s, 100/m, 2.5/h or 1000/d"
}

// ExitCodes is a set of exit codes.
type ExitCodes []int

// Decode implements envconfig.Decoder.
func (e *ExitCodes) Decode(value string) error {
	*e = nil
	for word := range strings.SplitSeq(value, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		code, err := strconv.Atoi(word)
		if err != nil || code < 1 || code > 255 {
			return errors.New("not an exit code")
		}
		*e = append(*e, code)
	}
	return nil
}

// Expected says what Decode takes.
func (*ExitCodes) Expected() string {
	return "a comma-separated list of exit codes from 1 to 255, such as 65,78"
}

// Addr is an address to listen on, or "".
type Addr string

// Decode implements envconfig.Decoder.
func (a *Addr) Decode(value string) error {
	if _, _, err := net.SplitHostPort(value); value != "" && err != nil {
		return err
	}
	*a = Addr(value)
	return nil
}

// Expected says what Decode takes.
func (*Addr) Expected() string { return "an address such as :9090" }

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

// Matches reports whether the pattern is found in the text. Without a pattern it always is.
func (p Pattern) Matches(text string) bool { return p.Regexp == nil || p.MatchString(text) }
