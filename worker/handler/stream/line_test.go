package stream

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// FuzzWriteLine reads what was written with package json.
func FuzzWriteLine(f *testing.F) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, payload := range []string{"", "apple", `a "quote" and a \ at the end\`, "tab\tnewline\nreturn\rnul\x00delete\x7f", "pömmes\u2028<&>", "\xff not UTF-8",
		string(every), string(every[:128]), strings.Repeat("long and plain ", 5000) + "\"", strings.Repeat("\x1f \"", 5000), "\x80\x01", "é\x1f", "1234567\"", "12345678\""} {
		f.Add("17", payload)
	}
	f.Fuzz(func(t *testing.T, id, payload string) {
		id = strings.ToValidUTF8(id, "+")
		var out bytes.Buffer
		w := bufio.NewWriterSize(&out, 16)
		writeLine(w, id, queue.Item{Payload: payload, Attempts: 1})
		_ = w.Flush()
		if line := out.String(); strings.IndexByte(line, '\n') != len(line)-1 {
			t.Fatalf("not one line: %q", line)
		}
		var line requestLine
		decoder := json.NewDecoder(bytes.NewReader(out.Bytes()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&line); err != nil {
			t.Fatalf("%q: %v", out.String(), err)
		}
		got, err := text.Decode(line.Item, line.Encoding)
		if err != nil || got != payload || line.ID != id || line.Attempt != 2 {
			t.Fatalf("%q: %+v, %v", out.String(), line, err)
		}
		if c := len(payload); plain(payload) > c || strings.ContainsAny(payload[:plain(payload)], "\"\\\x00\n\x1f") {
			t.Fatalf("plain is %d", plain(payload))
		}
	})
}
