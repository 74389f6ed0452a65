package dispatch

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/workqueue/workqueue/worker/handler"
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

func letter(item queue.Item, o attempt, policy Policy) string {
	l := Letter{Reason: o.Reason, ExitCode: o.ExitCode, Attempt: item.Attempts + 1, Host: policy.Host, Node: policy.Node,
		Started: o.Started.UTC().Truncate(time.Millisecond), Seconds: o.Duration.Round(time.Microsecond).Seconds(), Truncated: o.Truncated}
	l.Output, l.Encoding = handler.Text(o.Output)
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // it holds nothing that JSON cannot express
	}
	return string(text)
}

// LetterOf reads what was reported of a record's item, or says what is known where nobody was left to report.
func LetterOf(r queue.Record) (l Letter, err error) {
	if r.Report == "" {
		l.Reason = fmt.Sprintf("its worker died %d times while it ran alone there", r.Crashes)
		return l, nil
	}
	err = json.Unmarshal([]byte(r.Report), &l)
	return l, err
}
