package stream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/source"
	"github.com/workqueue/workqueue/worker/text"
)

// maxReason is how many bytes of a reason are kept.
const maxReason = 4 << 10

// response is a line from the program.
type response struct {
	ID       *string           `json:"id"`
	Status   string            `json:"status"` // done (or none), failed, dead, snoozed, alive
	Reason   string            `json:"reason"`
	Result   json.RawMessage   `json:"result"` // a string, or any other JSON, which is kept as it is
	Encoding string            `json:"encoding"`
	Push     []json.RawMessage `json:"push"` // new items, each a string, a number or an object

	invalid string // what is wrong with the line
}

// readResponse reads a line and reports whether it is a response: libraries print other lines.
func readResponse(line []byte) (r response, ok bool) {
	if len(line) == 0 || line[0] != '{' {
		return response{}, false
	}
	if err := json.Unmarshal(line, &r); err != nil {
		r = readInvalid(line)
	}
	return r, r.ID != nil || r.alive()
}

// readInvalid reads as much as it can of a line that is not JSON from some point on (Python writes NaN) or has a field of the wrong type.
// A number is accepted as the ID.
func readInvalid(line []byte) (r response) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	_, _ = decoder.Token() // the brace
	for decoder.More() {
		name, err := decoder.Token()
		var value json.RawMessage
		if err == nil {
			err = decoder.Decode(&value)
		}
		if err != nil {
			r.invalid = "the program's response is not JSON: " + err.Error()
			return r
		}
		var field *string
		switch name {
		case "id":
			r.ID = new(string)
			if json.Unmarshal(value, r.ID) != nil {
				*r.ID = strings.TrimSuffix(string(value), ".0")
			}
			continue
		case "status":
			field = &r.Status
		case "reason":
			field = &r.Reason
		case "encoding":
			field = &r.Encoding
		case "result":
			r.Result = value
			continue
		case "push":
			if json.Unmarshal(value, &r.Push) != nil && r.invalid == "" {
				r.invalid = fmt.Sprintf("the program's response has %s as its push: it must be a list of items", text.Shorten(string(value), 200))
			}
			continue
		default:
			continue
		}
		if json.Unmarshal(value, field) != nil && r.invalid == "" {
			r.invalid = fmt.Sprintf("the program's response has %s as its %s: it must be a string", text.Shorten(string(value), 200), name)
		}
	}
	return r
}

func (r *response) alive() bool { return r.Status == "alive" && r.invalid == "" }

// attempt returns the attempt that a response reports. It keeps at most resultBytes of a result.
func (r *response) attempt(resultBytes int) handler.Attempt {
	if r.invalid != "" {
		return handler.Attempt{Outcome: queue.OutcomeFailed, Reason: r.invalid}
	}
	reason := text.Shorten(r.Reason, maxReason)
	switch r.Status {
	case "", "done":
		attempt := handler.Attempt{Outcome: queue.OutcomeDone}
		for i, raw := range r.Push {
			payload, err := source.Payload(raw)
			if err != nil {
				return handler.Attempt{Outcome: queue.OutcomeFailed, Reason: fmt.Sprintf("the program's response: push[%d] is %v", i, err)}
			}
			attempt.Push = append(attempt.Push, payload)
		}
		if r.Result == nil {
			return attempt
		}
		result, err := r.result()
		if err != nil {
			return handler.Attempt{Outcome: queue.OutcomeFailed, Reason: err.Error()}
		}
		kept := min(len(result), resultBytes)
		attempt.Result, attempt.Output, attempt.Truncated = true, strings.Clone(result[:kept]), kept < len(result)
		return attempt
	case "failed":
		return handler.Attempt{Outcome: queue.OutcomeFailed, Reason: reason}
	case "dead":
		return handler.Attempt{Outcome: queue.OutcomeDead, Reason: reason}
	case "snoozed":
		return handler.Attempt{Outcome: queue.OutcomeSnoozed, Reason: reason}
	}
	return handler.Attempt{Outcome: queue.OutcomeFailed, Reason: fmt.Sprintf("the program's response has the status %q: it must be done, failed, "+
		"dead, snoozed or alive", r.Status)}
}

func (r *response) result() (string, error) {
	var value string
	if json.Unmarshal(r.Result, &value) != nil {
		return string(r.Result), nil
	}
	raw, err := text.Decode(value, r.Encoding)
	if err != nil {
		return "", fmt.Errorf("the program's result is not base64: %w", err)
	}
	return raw, nil
}
