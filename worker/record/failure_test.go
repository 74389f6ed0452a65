package record

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/queue"
)

// TestFailuresAreGrouped: what differs from item to item does not make another group.
func TestFailuresAreGrouped(t *testing.T) {
	text := func(reason string, code int, output string) string {
		report, err := json.Marshal(map[string]any{"reason": reason, "exit_code": code, "output": output})
		if err != nil {
			t.Fatal(err)
		}
		return string(report)
	}
	for _, test := range []struct{ report, want string }{
		{text("exit code 1", 1, "Traceback (most recent call last):\n  File \"a.py\", line 3\nValueError: IMG_0037.tiff: truncated"), "exit code 1: ValueError"},
		{text("exit code 1", 1, "java.io.IOException: /a/b\n"), "exit code 1: java.io.IOException"},
		{text("exit code 2", 2, "cp: cannot stat '/data/17.csv': No such file or directory"), "exit code 2: cp: cannot stat …: No such file or directory"},
		{text("no end after 30s", 124, "item 12345678 of 9"), "no end after 30s (exit code 124): item … of 9"},
		{text("killed by signal: killed", 137, ""), "killed by signal: killed (exit code 137)"},
		{text("cannot open https://host/x?y=1", 0, ""), "cannot open …"},
		{text("exit code 1", 1, "  \r\n \n"), "exit code 1"},
		{`not JSON of item 12345 <b>`, "not JSON of item … <b>"},
		{"", "0 workers died while they had the item, the last ones while they ran it alone"},
		{`{"reason":"exit code 1","exit_code":1,"output":"//8=","output_encoding":"base64"}`, "exit code 1"},
	} {
		if got := New(queue.Record{Report: test.report}).Kind(); got != test.want {
			t.Errorf("%s\nis in the group %q\nwant             %q", test.report, got, test.want)
		}
	}
}

func FuzzKind(f *testing.F) {
	f.Add("exit code 1\x00\xff", "ValueError: '\xff\"`\n\n", 1)
	f.Add(strings.Repeat("日", 500), strings.Repeat("'", 500), -1)
	f.Fuzz(func(t *testing.T, reason, output string, code int) {
		report, err := json.Marshal(map[string]any{"reason": reason, "exit_code": code, "output": output})
		if err != nil {
			t.Skip()
		}
		name := New(queue.Record{Report: string(report)}).Kind()
		if !utf8.ValidString(name) || len(name) > 3*failureLength {
			t.Errorf("the name of the group is %q", name)
		}
		if again := New(queue.Record{Report: string(report)}).Kind(); again != name {
			t.Errorf("%q is also called %q", name, again)
		}
	})
}
