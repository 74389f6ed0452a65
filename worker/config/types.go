package config

import (
	"encoding/json"
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// Mode is how a command meets its items.
type Mode string

// The modes.
const (
	Exec   Mode = "exec"
	Batch  Mode = "batch"
	Stream Mode = "stream"
)

// Input names how an item reaches its process in the mode Exec.
type Input string

// The inputs.
const (
	Argument Input = "argument"
	Stdin    Input = "stdin"
)

// Record is what is kept of attempts.
type Record string

// What is kept of attempts; each is more than the one before it.
const (
	RecordFailures Record = "failures" // dead letters
	RecordResults  Record = "results"  // the standard output of items that are done
	RecordAll      Record = "all"      // an entry of the history for each attempt
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

// Portion is a number of items, or a share of them in percent. The zero Portion is none, and not set.
type Portion struct {
	queue.Portion
	Set bool
}

// Decode implements envconfig.Decoder.
func (p *Portion) Decode(value string) (err error) {
	*p = Portion{Set: value != ""}
	share, isShare := strings.CutSuffix(value, "%")
	switch {
	case isShare:
		p.Percent, err = strconv.ParseFloat(share, 64)
		if err == nil && !(p.Percent > 0 && p.Percent <= 100) {
			err = errors.New("no share")
		}
	case p.Set:
		p.Items, err = strconv.Atoi(value)
		if p.Items < 0 {
			err = errors.New("negative")
		}
	}
	return err
}

// Expected says what Decode takes.
func (*Portion) Expected() string {
	return "a whole number, 0 or more, or a share such as 5% or 0.1%, above 0% and up to 100%"
}

// Timeout is a limit of time, 0 for none. The zero Timeout is not set.
type Timeout struct {
	time.Duration
	Set bool
}

// Decode implements envconfig.Decoder.
func (t *Timeout) Decode(value string) (err error) {
	if *t = (Timeout{Set: value != ""}); t.Set {
		t.Duration, err = time.ParseDuration(value)
	}
	if t.Duration < 0 {
		err = errors.New("negative")
	}
	return err
}

// Expected says what Decode takes.
func (*Timeout) Expected() string { return "a duration of 0s or more, such as 30s or 5m" }

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

// Names is a list of names.
type Names []string

// Decode implements envconfig.Decoder.
func (n *Names) Decode(value string) error {
	*n = nil
	if value == "" {
		return nil
	}
	return json.Unmarshal([]byte(value), (*[]string)(n))
}

// Expected says what Decode takes.
func (*Names) Expected() string { return `a JSON array of strings, such as ["first", "second"]` }

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
