package message

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func show(m Message) string {
	s := fmt.Sprintf("%s %s %q %q", m.ID, m.Word, m.Reason, m.Push)
	if m.Result != nil {
		s += fmt.Sprintf(" %q", *m.Result)
	}
	return s
}

func TestParse(t *testing.T) {
	for line, want := range map[string]string{
		"1 done":                      `1 done "" []`,
		"12 failed no answer":         `12 failed "no answer" []`,
		"12 failed":                   `12 failed "" []`,
		"1 dead  two spaces":          `1 dead " two spaces" []`,
		"1 snoozed busy":              `1 snoozed "busy" []`,
		"1 push a b \xff":             `1 push "" ["a b \xff"]`,
		"1 push ":                     `1 push "" [""]`,
		"1 alive":                     `1 alive "" []`,
		"alive":                       ` alive "" []`,
		`{"id":"1","status":"done"}`:  `1 done "" []`,
		`{"status":"done", "id":17}`:  `17 done "" []`,
		`{"status":"alive"}`:          ` alive "" []`,
		`{"id":"1","status":"alive"}`: `1 alive "" []`,
		`{"id":"1","status":"done","result":"r"}`:                        `1 done "" [] "r"`,
		`{"id":"1","status":"done","result":{"a": [1]}}`:                 `1 done "" [] "{\"a\": [1]}"`,
		`{"id":"1","status":"done","result":null}`:                       `1 done "" [] "null"`,
		`{"id":"1","status":"done","result":"/w==","encoding":"base64"}`: `1 done "" [] "\xff"`,
		`{"id":"1","status":"done","push":["a",1,{"b": 2}]}`:             `1 done "" ["a" "1" "{\"b\":2}"]`,
		`{"id":"1","status":"push","push":["/w=="],"encoding":"base64"}`: `1 push "" ["\xff"]`,
		`{"id":"1","status":"failed","reason":"no route"} `:              `1 failed "no route" []`,
		`{"id":"1","status":"dead","reason":"\ud83c\udf4c"}`:             `1 dead "🍌" []`,
	} {
		m, err := Parse([]byte(line))
		if err != nil || show(m) != want {
			t.Errorf("%s\n is %s, %v\nnot %s", line, show(m), err, want)
		}
	}
}

// notMessages are lines that other programs, loggers and accidents write.
var notMessages = []string{
	"", " ", "1", "done", "1 ", " 1 done", "1  done", "1 Done", "1 done ", "1 done with it", "1 done\r", "1\tdone", "5 no answer", "1 alive still",
	"1 push", "1 returned", "1 invalid", "alive ", "working on 1 done", "\x00", "1 done\x00",
	"{}", "{", "}", "null", `"done"`, "[]", `{"id":"1"}`, `{"id":"1"`, `{"id":"1","status":"done"`, `{"id":"1","status":"done"}}`,
	`{"id":"1","status":"done"}{"id":"2","status":"done"}`, `{"id":"1","status":"done"} garbage`, `{"id":"1","status":"done"},`,
	`{"id":"1","status":null}`, `{"id":"1","status":""}`, `{"id":"1","status":"Done"}`, `{"id":"1","Status":"done"}`, `{"ID":"1","status":"done"}`,
	`{"id":"1","status":"done","error":"boom"}`, `{"id":"1","status":"done","reason":"because"}`, `{"id":"1","status":"done","reason":null}`,
	`{"id":"1","id":"2","status":"done"}`, `{"id":"1","status":"failed","status":"done"}`, `{"id":1.0,"status":"done"}`, `{"id":1e0,"status":"done"}`,
	`{"id":-1,"status":"done"}`, `{"id":null,"status":"done"}`, `{"id":"","status":"done"}`, `{"status":"done"}`, `{"id":["1"],"status":"done"}`,
	`{"id":"1","status":"done","result":NaN}`, `{"id":"1","status":"done","result":"\ud83d"}`, "{\"id\":\"1\",\"status\":\"done\",\"result\":\"\xff\"}",
	`{"id":"1","status":"done","result":"x","encoding":"base64"}`, `{"id":"1","status":"done","encoding":"gzip"}`, `{"id":"1","status":"done","push":"a"}`,
	`{"id":"1","status":"done","push":[null]}`, `{"id":"1","status":"done","push":[true]}`, `{"id":"1","status":"done","push":null}`,
	`{"id":"1","status":"push"}`, `{"id":"1","status":"push","push":["a"],"result":"r"}`, `{"id":"1","status":"failed","result":"r"}`,
	`{"id":"1","status":"alive","reason":"busy"}`, `{"id":"","status":"alive"}`, `{'id':'1','status':'done'}`, `{"id":"1","status":"done",}`,
	`{"level":"info","msg":"processing","id":"2"}`, `{"level":"info","msg":"done","id":"2","status":"done"}`,
}

func TestParseRefuses(t *testing.T) {
	for _, line := range notMessages {
		if m, err := Parse([]byte(line)); err == nil {
			t.Errorf("%q is taken for %s", line, show(m))
		}
	}
}

// FuzzRead holds that nothing settles an item but a whole line that says so: whatever is cut, glued together or added to it.
func FuzzRead(f *testing.F) {
	for _, line := range notMessages {
		f.Add(line + "\n")
	}
	f.Add("1 done\n2 failed no answer\n{\"id\":\"3\",\"status\":\"done\"}\n4 do")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.SplitAfter(text, "\n")
		n := 0
		err := Read(strings.NewReader(text), func(m Message) error {
			line := lines[n]
			n++
			if !strings.HasSuffix(line, "\n") {
				t.Fatalf("%q counts although it has no end", line)
			}
			if m.Word == Done && !(line == m.ID+" done\n" || line[0] == '{' && strings.Contains(line, `"`+"id")) && !strings.Contains(line, `\u`) {
				t.Fatalf("%q says that %s is done", line, m.ID)
			}
			if m.ID == "" && m.Word != Alive {
				t.Fatalf("%q is about no item", line)
			}
			return nil
		})
		var invalid *Invalid
		if errors.As(err, &invalid) == errors.Is(err, io.EOF) {
			t.Fatalf("error %v", err)
		}
		if errors.Is(err, io.EOF) && n != len(lines)-1 {
			t.Fatalf("%d of %d lines were read", n, len(lines)-1)
		}
	})
}

// TestReadLong reads lines around the limit, by readers of their own size.
func TestReadLong(t *testing.T) {
	for _, test := range []struct {
		bytes int
		valid bool
	}{{MaxBytes, true}, {MaxBytes + 1, false}, {MaxBytes + 100<<10, false}, {32 << 10, true}, {32<<10 - 1, true}} {
		head := "1 failed "
		line := head + strings.Repeat("x", test.bytes-len(head)) + "\n"
		var got []Message
		err := Read(strings.NewReader(line+"2 done\n"), func(m Message) error { got = append(got, m); return nil })
		if valid := errors.Is(err, io.EOF) && len(got) == 2 && len(got[0].Reason) == test.bytes-len(head); valid != test.valid {
			t.Errorf("%d bytes: %d messages, error %.200v", test.bytes, len(got), err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for name, line := range map[string]string{"words": "17 done", "object": `{"id":"17","status":"done","result":"red"}`} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse([]byte(line)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
