package text

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEncode(t *testing.T) {
	for _, raw := range []string{"", "text", "ünïcode", "\x00", "\xff\xfe", "half a \xc3"} {
		text, encoding := Encode(raw)
		if back, err := Decode(text, encoding); err != nil || back != raw {
			t.Errorf("%q became %q (%s), and %q, %v again", raw, text, encoding, back, err)
		}
	}
	if _, err := Decode("not base64!", Base64); err == nil {
		t.Error("text that is not base64 is decoded")
	}
}

func TestHead(t *testing.T) {
	for _, s := range []string{"", "abc", "ünïcödé", "日本語", "👍👍", "\xff\xfe\xfd\xfc\xfb\xfa"} {
		for n := range len(s) + 2 {
			head := Head(s, n)
			if !strings.HasPrefix(s, head) || len(head) > n || len(head) < min(len(s), n-3) || utf8.ValidString(s) && !utf8.ValidString(head) {
				t.Errorf("the first %d bytes of %q are %q", n, s, head)
			}
		}
	}
}

// hostile is output that a terminal would obey: colours, a title, a link, their 8-bit forms, a new line, text that runs backwards.
var hostile = []string{"\x1b[31mred", "\x1b]0;title\a", "\x1b]8;;http://x\x1b\\link", "\u009b31m", "\u009d0;title\u009c",
	"a\r\nb", "a\tb", "\x7f", "\u202egnp.exe", "\u2066x\u2069", "\ufeff", "\U000e0041", "\x9b31m", "\xff\x1b[2J"}

func obeyed(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	})
}

func TestTerminalObeysNothing(t *testing.T) {
	for _, s := range hostile {
		if line := Line(s, 40); obeyed(line) {
			t.Errorf("Line: %q is shown as %q", s, line)
		}
		if printable := strings.ReplaceAll(Printable(s), "\n", ""); obeyed(printable) {
			t.Errorf("Printable: %q is shown as %q", s, printable)
		}
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		escaped := JSON(encoded)
		if obeyed(escaped) {
			t.Errorf("JSON: %q is shown as %q", s, escaped)
		}
		var want, got string
		if json.Unmarshal(encoded, &want) != nil || json.Unmarshal([]byte(escaped), &got) != nil || got != want {
			t.Errorf("JSON: %s became %s: another value", encoded, escaped)
		}
	}
}

func TestLine(t *testing.T) {
	for _, test := range []struct {
		s    string
		want string
	}{
		{"", `""`},
		{"two words", "two words"},
		{"a\nb", "a·b"},
		{"1234567890", "1234567890"},
		{"12345678901", "123456789…"},
		{"üüüüüüüüüüü", "üüüüüüüüü…"},
		{"\xff", `"\xff"`},
	} {
		if got := Line(test.s, 10); got != test.want {
			t.Errorf("%q: %q, want %q", test.s, got, test.want)
		}
	}
}
