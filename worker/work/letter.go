package work

import (
	"encoding/json"
	"time"
)

// Letter is what a dead letter tells beside the item and its counts.
type Letter struct {
	Reason   string    `json:"reason"`
	ExitCode int       `json:"exitCode,omitempty"`
	Output   string    `json:"output,omitempty"` // last lines
	Host     string    `json:"host"`
	Node     string    `json:"node,omitempty"`
	Started  time.Time `json:"started"` // of the last attempt
	Seconds  float64   `json:"seconds"` // of the last attempt
}

func letter(o outcome, host, node string) string {
	text, err := json.Marshal(Letter{Reason: o.Reason, ExitCode: o.ExitCode, Output: o.Output, Host: host, Node: node,
		Started: o.Started.UTC().Truncate(time.Millisecond), Seconds: o.Duration.Seconds()})
	if err != nil {
		panic(err) // it holds nothing that JSON cannot express
	}
	return string(text)
}
