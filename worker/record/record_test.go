package record

import (
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

func TestNew(t *testing.T) {
	attempt := Attempt{Reason: "exit code 3", Number: 2, Host: "here", Node: "there", Started: time.UnixMilli(1700000000000).UTC(), Seconds: 1.5, ExitCode: 3}
	attempt.SetOutput("\xff")
	for _, test := range []struct {
		name string
		kept queue.Record
		want string
	}{
		{"a failed attempt", queue.Record{Key: "1700000001000-0", ItemID: "7", Payload: "a<b", Attempts: 2, Report: attempt.JSON()},
			`{"item":"a<b","id":"7","key":"1700000001000-0","recorded":"2023-11-14T22:13:21Z","reason":"exit code 3","attempt":2,"host":"here","node":"there",` +
				`"started":"2023-11-14T22:13:20Z","seconds":1.5,"exit_code":3,"output":"/w==","output_encoding":"base64"}`},
		{"a worker that died", queue.Record{Key: "1700000001000-0", ItemID: "8", Payload: "\xfe", Attempts: 1, Crashes: 3},
			`{"item":"/g==","item_encoding":"base64","id":"8","key":"1700000001000-0","recorded":"2023-11-14T22:13:21Z","crashes":3,` +
				`"reason":"3 workers died while they had the item, the last ones while they ran it alone","attempt":1,"seconds":0,"exit_code":0,"output":""}`},
		{"a report of an unknown form", queue.Record{Key: "1700000001000-0", ItemID: "9", Attempts: 1, Report: "\u009b31m no JSON"},
			`{"item":"","id":"9","key":"1700000001000-0","recorded":"2023-11-14T22:13:21Z","reason":"\u009b31m no JSON","attempt":1,"seconds":0,"exit_code":0,"output":""}`},
	} {
		var line strings.Builder
		if err := New(test.kept).Write(&line); err != nil || line.String() != test.want+"\n" {
			t.Errorf("%s: %v\n%swant\n%s", test.name, err, line.String(), test.want)
		}
	}
}

func TestNewPart(t *testing.T) {
	long := strings.Repeat("ü", 100)
	r := NewPart(queue.Record{Payload: long, Report: Attempt{Reason: long, Output: long}.JSON()}, 11)
	if want := long[:10]; r.Item != want || r.ItemBytes != 200 || r.Reason != want || r.Output != want || !r.Truncated {
		t.Errorf("11 bytes of each part: %+v", r)
	}
	r = NewPart(queue.Record{Payload: strings.Repeat("\xff", 100)}, 3)
	if r.Item != "////" || r.ItemBytes != 100 {
		t.Errorf("3 bytes that are not text: %+v", r)
	}
}

func TestContains(t *testing.T) {
	a := Attempt{Reason: "Exit code 3", Host: "pod-1", Node: "node-2"}
	a.SetOutput("\xffTraceback")
	r := New(queue.Record{ItemID: "77", Payload: "\xfeApple", Report: a.JSON()})
	for _, part := range []string{"apple", "EXIT", "traceback", "77", "POD-1", "node-2", ""} {
		if !r.Contains(part) {
			t.Errorf("%q is not found", part)
		}
	}
	for _, part := range []string{"output", "exit_code", "base64"} {
		if r.Contains(part) {
			t.Errorf("%q is found: it is a name in the record, not part of it", part)
		}
	}
}
