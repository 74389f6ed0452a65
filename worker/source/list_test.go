package source

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func read(text string, layout Layout) (items []string, err error) {
	err = NewList(iotest.HalfReader(strings.NewReader(text)), layout).Each(func(payload string) error {
		items = append(items, payload)
		return nil
	})
	return items, err
}

func TestLists(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for _, test := range []struct {
		layout Layout
		text   string
		want   []string
		err    string // "" for none
	}{
		{Layout{Lines, '\n'}, "", nil, ""},
		{Layout{Lines, '\n'}, "a\nb\n", []string{"a", "b"}, ""},
		{Layout{Lines, '\n'}, "a\n\n\nb", []string{"a", "b"}, ""},
		{Layout{Lines, '\n'}, " a \n\t\xff\n", []string{" a ", "\t\xff"}, ""},
		{Layout{Lines, '\n'}, long + "\n" + long, []string{long, long}, ""},
		{Layout{Lines, '\n'}, "\ufeffa\r\n\r\nb c\r", []string{"a", "b c"}, ""}, // from Windows
		{Layout{Lines, '\n'}, "\ufeff", nil, ""},
		{Layout{Lines, '\n'}, "\xff\xfea\x00\n\x00", nil, "line 1, column 1: the text is UTF-16; save it as UTF-8"},
		{Layout{Lines, '\n'}, "a\n\rb\n", []string{"a"}, "line 2, column 1: a carriage return that no line feed follows"},
		{Layout{Lines, 0}, "a\nb\x00\x00c", []string{"a\nb", "", "c"}, ""},
		{Layout{Lines, 0}, "\x00", []string{""}, ""},
		{Layout{Lines, 0}, "\ufeffa\r\x00\xff\xfe", []string{"\ufeffa\r", "\xff\xfe"}, ""},

		{Layout{CSV, '\n'}, "", nil, ""},
		{Layout{CSV, '\n'}, "name,size\n", nil, ""},
		{Layout{CSV, '\n'}, "name,size\na,1\n\nb,02", []string{`{"name":"a","size":"1"}`, `{"name":"b","size":"02"}`}, ""},
		{Layout{CSV, '\n'}, "\ufeff\"name\", size \r\na b, <&>\r\n", []string{`{"name":"a b","size":" <&>"}`}, ""},
		{Layout{CSV, '\n'}, "a,b\n\"x, \"\"y\"\"\r\nz\",\u00e9\t\n", []string{`{"a":"x, \"y\"\r\nz","b":"é\t"}`}, ""},
		{Layout{CSV, '\n'}, "a,b\n1,2\n,\n,3\n", []string{`{"a":"1","b":"2"}`, `{"a":"","b":"3"}`}, ""}, // Excel leaves such rows
		{Layout{CSV, '\n'}, "b,a\n1,2\n", []string{`{"b":"1","a":"2"}`}, ""},
		{Layout{CSV, '\n'}, "a,b\n1\n", nil, "line 2, column 1: the row has 1 field, and the header has 2; a field with a comma"},
		{Layout{CSV, '\n'}, "a,b\n1,2\n\n1,2,3\n", []string{`{"a":"1","b":"2"}`}, "line 4, column 1: the row has 3 fields, and the header has 2"},
		{Layout{CSV, '\n'}, "a,b,a\n", nil, `line 1, column 5: the header has the name "a" twice`},
		{Layout{CSV, '\n'}, "a,,b\n", nil, "line 1, column 3: the header has a field without a name"},
		{Layout{CSV, '\n'}, "a;b\n1;2\n", nil, "line 1, column 1: the header has a single field, a;b: with the format csv, a comma separates fields"},
		{Layout{CSV, '\n'}, "a\tb\n1\t2\n", nil, "use the format tsv"},
		{Layout{CSV, '\n'}, "a,b\r1,2\r", nil, "line 1, column 4: a carriage return that no line feed follows; save"},
		{Layout{CSV, '\n'}, "a,b\n1,x\"y\n", nil, `line 2, column 4: a field with a quote in it has to be in quotes`},
		{Layout{CSV, '\n'}, "a,b\n1,\"y\n2,3\n4,5\n", nil, `line 2, column 3: the quote that begins this field has no end; a quote in a field has to be doubled: "5"" pipe"`},
		{Layout{CSV, '\n'}, "a,b\n1,\"y\"z\n", nil, `line 2, column 5: a quote ends the field, and no comma follows`},
		{Layout{CSV, '\n'}, "a,b\n1,b\xfcrger\n", nil, "line 2, column 3: the text is not UTF-8; save it as UTF-8"},
		{Layout{CSV, '\n'}, "a,b\nb\xfcrger,2\n", nil, "line 2, column 1: the text is not UTF-8; save it as UTF-8"},
		{Layout{CSV, '\n'}, "a,b\xfc\n", nil, "line 1, column 3: the text is not UTF-8"},
		{Layout{CSV, '\n'}, "\xff\xfea\x00", nil, "line 1, column 1: the text is UTF-16"},
		{Layout{CSV, '\n'}, "a,b\n1,\"y\n2\"z\n", nil, `line 3, column 2: a quote ends the field, and no comma follows; a quote in a field has to be doubled: "5"" pipe" (the field begins in line 2)`},
		{Layout{CSV, '\n'}, "a,b\n\"x\ry\r\nz\r\",\"\"\"\"\r", []string{`{"a":"x\ry\r\nz\r","b":"\""}`}, ""},
		{Layout{CSV, '\n'}, "a,b\n\"x\"\ry\n", nil, "line 2, column 4: a carriage return that"},
		{Layout{CSV, '\n'}, "a\n\"x\n\x00\"\n", nil, "line 3, column 1: a NUL byte, which no text has; if this is UTF-16, save it as UTF-8"},
		{Layout{CSV, '\n'}, "\r\n\na,b\n\"\",\"\"\n1,\"\"\n", []string{`{"a":"1","b":""}`}, ""},
		{Layout{CSV, '\n'}, "\"\"\na\n", nil, "line 1, column 1: the header has a field without a name"},

		{Layout{TSV, '\n'}, "a\tb\nx, y\t\"1 2\"\r\n", []string{`{"a":"x, y","b":"\"1 2\""}`}, ""},
		{Layout{TSV, '\n'}, "a\tb\n1\t5\" pipe\n2\t\"\n\"3\t\n", []string{`{"a":"1","b":"5\" pipe"}`, `{"a":"2","b":"\""}`, `{"a":"\"3","b":""}`}, ""},
		{Layout{TSV, '\n'}, "a\tb\nx\t\"1\t2\"\n", nil, "line 2, column 1: the row has 3 fields, and the header has 2; each tab separates two fields, and quotes change nothing in tsv"},
		{Layout{TSV, '\n'}, "a\tb\n1\t\"y\nz\"\n", []string{`{"a":"1","b":"\"y"}`}, "line 3, column 1: the row has 1 field, and the header has 2"},
		{Layout{TSV, '\n'}, "a\tb\n1\t2\r3\t4\n", nil, "line 2, column 4: a carriage return that no line feed follows"},
		{Layout{TSV, '\n'}, "a\tb\n\n\t\n1\tb\xfcrger\n", nil, "line 4, column 3: the text is not UTF-8; save it as UTF-8"},
		{Layout{TSV, '\n'}, "a,b\n1,2\n", nil, "use the format csv"},

		{Layout{JSONL, '\n'}, "", nil, ""},
		{Layout{JSONL, '\n'}, "\ufeff{\"b\": 1, \"a\" : [ 2 ]}\r\n\n \"two words\" \n1.50\n{}", []string{`{"b":1,"a":[2]}`, "two words", "1.50", "{}"}, ""},
		{Layout{JSONL, '\n'}, "{\"a\":1}\n{\"a\":}\n", []string{`{"a":1}`}, "line 2, column 6: not JSON: invalid character '}'"},
		{Layout{JSONL, '\n'}, "{\"a\":1} x\n", nil, "line 1, column 9: not JSON"},
		{Layout{JSONL, '\n'}, "{\n\"a\":1}\n", nil, "line 1, column 1: not JSON: unexpected end of JSON input: each line is a value of its own"},
		{Layout{JSONL, '\n'}, "\n[1]\n", nil, "line 2, column 1: a list: an item is a string, a number or an object"},
		{Layout{JSONL, '\n'}, " null\n", nil, "line 1, column 2: null: an item is"},
		{Layout{JSONL, '\n'}, `"\ud83d\ude00 \ufffd \\ud83d"`, []string{`😀 � \ud83d`}, ""},
		{Layout{JSONL, '\n'}, `"\ud83d"`, nil, "line 1, column 1: a string that is not all text"},
		{Layout{JSONL, '\n'}, `"\ude00\ud83d"`, nil, "line 1, column 1: a string that is not all text"},
		{Layout{JSONL, '\n'}, "true\n", nil, "line 1, column 1: true or false"},
		{Layout{JSONL, '\n'}, "\"\xff\"\n", nil, "line 1, column 2: the text is not UTF-8"},
	} {
		got, err := read(test.text, test.layout)
		if !slices.Equal(got, test.want) || (err == nil) != (test.err == "") || (err != nil && !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s, %.60q: got %.60q, %v; want %.60q, %s", test.layout.Format, test.text, got, err, test.want, test.err)
		}
		if line := (*LineError)(nil); err != nil && !errors.As(err, &line) {
			t.Errorf("%s, %.60q: %v is no LineError", test.layout.Format, test.text, err)
		}
	}
}

// TestTooLong: a wrong delimiter, or a quote that is never closed, must not fill the memory.
func TestTooLong(t *testing.T) {
	for _, format := range []Format{Lines, CSV, JSONL} {
		endless := io.MultiReader(strings.NewReader("\"x"), io.LimitReader(&repeated{text: strings.Repeat("x", 4096)}, 2*maxItem))
		err := NewList(endless, Layout{format, '\n'}).Each(func(string) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "longer than") {
			t.Errorf("%s: an item of any length is read: %v", format, err)
		}
	}
}

// TestMillions: memory does not grow with a list.
func TestMillions(t *testing.T) {
	const rows, most = 1_000_000, 8 << 20
	for format, row := range map[Format]string{Lines: "a line\n", CSV: "apple,\"red, mostly\"\n", JSONL: "{\"a\": \"apple\"}\n"} {
		list := NewList(io.LimitReader(&repeated{text: row}, int64(rows*len(row))), Layout{format, '\n'})
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		items := 0
		err := list.Each(func(string) error {
			if items++; items%100_000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				if now.HeapAlloc > before.HeapAlloc+most {
					return fmt.Errorf("%d bytes after %d items", now.HeapAlloc-before.HeapAlloc, items)
				}
			}
			return nil
		})
		if err != nil || items < rows-1 {
			t.Errorf("%s: %d items, %v", format, items, err)
		}
	}
}

// repeated is a text without an end.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		copied := copy(p[n:], r.text[r.at:])
		n += copied
		r.at = (r.at + copied) % len(r.text)
	}
	return n, nil
}

// TestListsAreFollowed: an item is not kept waiting for what comes after it.
func TestListsAreFollowed(t *testing.T) {
	for format, text := range map[Format]string{Lines: "a\nhalf", CSV: "b\na\n\"", TSV: "b\n\"\nhalf", JSONL: "1\n{"} {
		r, w := io.Pipe()
		go func() { _, _ = w.Write([]byte(text)) }()
		list := NewList(r, Layout{format, '\n'})
		seen := errors.New("seen")
		err := list.Each(func(string) error {
			if list.More() {
				return errors.New("it says that there is more")
			}
			return seen
		})
		if err != seen {
			t.Errorf("%s: %v", format, err)
		}
		r.Close()
	}
}
