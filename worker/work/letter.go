package work

import (
	"encoding/base64"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/queue"
)

// Letter is what a dead letter or a result tells beside the item.
type Letter struct {
	Reason    string    `json:"reason,omitempty"` // of a death
	Attempt   int       `json:"attempt,omitempty"`
	Host      string    `json:"host,omitempty"`
	Node      string    `json:"node,omitempty"`
	Started   time.Time `json:"started,omitzero"` // of this attempt
	Seconds   float64   `json:"seconds"`          // of this attempt
	ExitCode  int       `json:"exitCode"`
	Output    string    `json:"output"`                   // the result, or the last lines before a death
	Encoding  string    `json:"outputEncoding,omitempty"` // "base64" if the output is not UTF-8
	Truncated bool      `json:"truncated,omitempty"`      // whether there was more output than is kept
}

func letter(item queue.Item, o outcome, policy Policy) string {
	l := Letter{Reason: o.Reason, ExitCode: o.ExitCode, Attempt: item.Attempts + 1, Host: policy.Host, Node: policy.Node,
		Started: o.Started.UTC().Truncate(time.Millisecond), Seconds: o.Duration.Round(time.Microsecond).Seconds(), Truncated: o.Truncated}
	l.Output, l.Encoding = Text(o.Output)
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // it holds nothing that JSON cannot express
	}
	return string(text)
}

// Text makes any bytes fit for a JSON string: as they are, with no encoding, or in base64 if they are not UTF-8.
func Text(raw string) (text, encoding string) {
	if utf8.ValidString(raw) {
		return raw, ""
	}
	return base64.StdEncoding.EncodeToString([]byte(raw)), "base64"
}
