package handler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// maxReason is how many bytes of a reason are kept.
const maxReason = 4 << 10

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

	invalid string // what is wrong with it, if its id could be read
}

// readAnswer reads a line. It may be no answer to anything: libraries print things.
func readAnswer(line []byte) (a answer, ok bool) {
	if len(line) == 0 || line[0] != '{' {
		return answer{}, false
	}
	if err := json.Unmarshal(line, &a); err != nil {
		a = readInvalid(line)
	}
	return a, a.ID != nil || a.alive()
}

// readInvalid reads as much of a line as can be read: one that is no JSON from some point on, such as with Python's NaN, or with
// fields of other types. A number is a good id.
func readInvalid(line []byte) (a answer) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	_, _ = decoder.Token() // the brace
	for decoder.More() {
		name, err := decoder.Token()
		var value json.RawMessage
		if err == nil {
			err = decoder.Decode(&value)
		}
		if err != nil {
			a.invalid = "the program's response is not JSON: " + err.Error()
			return a
		}
		var field *string
		switch name {
		case "id":
			a.ID = new(string)
			if json.Unmarshal(value, a.ID) != nil {
				*a.ID = strings.TrimSuffix(string(value), ".0")
			}
			continue
		case "status":
			field = &a.Status
		case "reason":
			field = &a.Reason
		case "encoding":
			field = &a.Encoding
		case "result":
			a.Result = value
			continue
		default:
			continue
		}
		if json.Unmarshal(value, field) != nil && a.invalid == "" {
			a.invalid = fmt.Sprintf("the program's response has %s as its %s: it must be a string", truncate(string(value), 200), name)
		}
	}
	return a
}

func (a *answer) alive() bool { return a.Status == "alive" && a.invalid == "" }

// outcome is what an answer says, with as many bytes of a result as are kept.
func (a *answer) outcome(resultBytes int) Attempt {
	if a.invalid != "" {
		return Attempt{Outcome: queue.OutcomeFailed, Reason: a.invalid}
	}
	reason := truncate(a.Reason, maxReason)
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
		return Attempt{Outcome: queue.OutcomeFailed, Reason: reason}
	case "dead":
		return Attempt{Outcome: queue.OutcomeDead, Reason: reason}
	case "snoozed":
		return Attempt{Outcome: queue.OutcomeSnoozed, Reason: reason}
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
