package stream

import (
	"strings"
	"testing"

	"github.com/workqueue/workqueue/worker/queue"
)

func TestProtocolResponses(t *testing.T) {
	for _, test := range []struct {
		line    string
		id      string // "" for a line that is output
		outcome queue.Outcome
		reason  string
	}{
		{line: `{"id":"17"}`, id: "17", outcome: queue.OutcomeDone},
		{line: `{"id":17}`, id: "17", outcome: queue.OutcomeDone},
		{line: `{"id":17.0,"status":"dead","reason":"no fruit"}`, id: "17", outcome: queue.OutcomeDead, reason: "no fruit"},
		{line: `{"id":17,"result":{"n":1}}`, id: "17", outcome: queue.OutcomeDone},
		{line: `{"id":"17","status":"failed","reason":{"code":500}}`, id: "17", outcome: queue.OutcomeFailed, reason: `{"code":500} as its reason`},
		{line: `{"reason":[1],"id":"17"}`, id: "17", outcome: queue.OutcomeFailed, reason: "[1] as its reason"},
		{line: `{"id":"17","status":0}`, id: "17", outcome: queue.OutcomeFailed, reason: "0 as its status"},
		{line: `{"id":"17","status":null}`, id: "17", outcome: queue.OutcomeDone},
		{line: `{"id":"17","encoding":true,"result":"x"}`, id: "17", outcome: queue.OutcomeFailed, reason: "true as its encoding"},
		{line: `{"id":"17","result":NaN}`, id: "17", outcome: queue.OutcomeFailed, reason: "not JSON"},
		{line: `{"id":"17","result":"cut of`, id: "17", outcome: queue.OutcomeFailed, reason: "not JSON"},
		{line: `{"id":"17","status":"failed","reason":"` + strings.Repeat("x", 1<<20) + `"}`, id: "17", outcome: queue.OutcomeFailed, reason: "xx…"},
		{line: `{"result":"x"}`},
		{line: `{"id":null}`},
		{line: `{'id': '17'}`},
		{line: `{}`},
		{line: `17`},
	} {
		r, ok := readResponse([]byte(test.line))
		if ok != (test.id != "") {
			t.Errorf("%.80s: is it a response? %v", test.line, ok)
			continue
		}
		if !ok {
			continue
		}
		if o := r.attempt(100); *r.ID != test.id || o.Outcome != test.outcome || !strings.Contains(o.Reason, test.reason) || len(o.Reason) > 5000 {
			t.Errorf("%.80s: id %s, %.300v", test.line, *r.ID, o)
		}
	}
}
