package config

import (
	"errors"
	"log/slog"
	"strconv"
	"strings"
)

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

// LogFormat is text or json.
type LogFormat string

// Decode implements envconfig.Decoder.
func (f *LogFormat) Decode(value string) error {
	if value != "text" && value != "json" {
		return errors.New("unknown format")
	}
	*f = LogFormat(value)
	return nil
}

// Expected says what Decode takes.
func (*LogFormat) Expected() string { return "text or json" }

// LogLevel is the least level that is logged.
type LogLevel struct{ slog.Level }

// Decode implements envconfig.Decoder.
func (l *LogLevel) Decode(value string) error { return l.UnmarshalText([]byte(value)) }

// Expected says what Decode takes.
func (*LogLevel) Expected() string { return "debug, info, warn or error" }
