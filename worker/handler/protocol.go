package handler

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// question is a line to the process. The item comes last, where the simplest program can find it.
type question struct {
	ID       string `json:"id"`
	Attempt  int    `json:"attempt"`
	Encoding string `json:"encoding,omitempty"` // "base64" if the item is not UTF-8
	Item     string `json:"item"`
}

func newQuestion(id string, item queue.Item) question {
	q := question{ID: id, Attempt: item.Attempts + 1}
	q.Item, q.Encoding = text.Encode(item.Payload)
	return q
}

// answer is a line from the process.
type answer struct {
	ID       *string         `json:"id"`
	Status   string          `json:"status"` // done (or none), failed, dead, snoozed, alive
	Reason   string          `json:"reason"`
	Result   json.RawMessage `json:"result"` // a string, or any other JSON, which is kept as it is
	Encoding string          `json:"encoding"`
}

// readAnswer reads a line. It may be no answer to anything: libraries print things.
func readAnswer(line []byte) (a answer, ok bool) {
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &a) != nil {
		return answer{}, false
	}
	return a, a.ID != nil || a.alive()
}

func (a *answer) alive() bool { return a.Status == "alive" }

// outcome is what an answer says, with as many bytes of a result as are kept.
func (a *answer) outcome(resultBytes int) Attempt {
	switch a.Status {
	case "", "done":
		if a.Result == nil {
			return Attempt{Outcome: queue.OutcomeDone}
		}
		result, err := a.result()
		if err != nil {
			return Attempt{Outcome: queue.OutcomeFailed, Reason: err.Error()}
		}
		kept := min(len(result), resultBytes)
		return Attempt{Outcome: queue.OutcomeDone, Result: true, Output: strings.Clone(result[:kept]), Truncated: kept < len(result)}
	case "failed":
		return Attempt{Outcome: queue.OutcomeFailed, Reason: a.Reason}
	case "dead":
		return Attempt{Outcome: queue.OutcomeDead, Reason: a.Reason}
	case "snoozed":
		return Attempt{Outcome: queue.OutcomeSnoozed, Reason: a.Reason}
	}
	return Attempt{Outcome: queue.OutcomeFailed, Reason: fmt.Sprintf("the program answers with the status %q: it must be done, failed, "+
		"dead, snoozed or alive", a.Status)}
}

func (a *answer) result() (string, error) {
	var value string
	if json.Unmarshal(a.Result, &value) != nil {
		return string(a.Result), nil
	}
	raw, err := text.Decode(value, a.Encoding)
	if err != nil {
		return "", fmt.Errorf("the program's result is not base64: %w", err)
	}
	return raw, nil
}
