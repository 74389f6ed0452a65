// Package text prepares the bytes of items and programs for JSON, for logs and for a terminal.
package text

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Base64 is the encoding for bytes that are not UTF-8.
const Base64 = "base64"

// Encode returns raw as text that JSON can hold, and its encoding: "" for raw itself, Base64 if raw is not UTF-8.
func Encode(raw string) (text, encoding string) {
	if utf8.ValidString(raw) {
		return raw, ""
	}
	return base64.StdEncoding.EncodeToString([]byte(raw)), Base64
}

// Decode reverses Encode. The error is for text that is not base64 but should be.
func Decode(text, encoding string) (raw string, err error) {
	if encoding != Base64 {
		return text, nil
	}
	bytes, err := base64.StdEncoding.DecodeString(text)
	return string(bytes), err
}

// Head returns the first bytes of s, atMost of them. It does not cut a character in two.
func Head(s string, atMost int) string {
	if len(s) <= atMost {
		return s
	}
	end := atMost
	for end > max(0, atMost-utf8.UTFMax) && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// Unfinished returns how many bytes at the end of a text are the beginning of a character whose rest is missing.
func Unfinished(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if last := text[len(text)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}

// Shorten returns s, or its first bytes and "…" if it has more than atMost.
func Shorten(s string, atMost int) string {
	if len(s) <= atMost {
		return s
	}
	return Head(s, atMost) + "…"
}

// Line returns s as one line of a terminal, with atMost characters: others are left out, a control character is shown as "·",
// bytes that are not UTF-8 are escaped, and nothing at all is shown as "".
func Line(s string, atMost int) string {
	if !utf8.ValidString(s) {
		s = fmt.Sprintf("%+q", Head(s, atMost))
	}
	line := make([]rune, 0, min(len(s), atMost))
	for _, r := range s {
		if len(line) == atMost {
			line[atMost-1] = '…'
			break
		}
		if !strconv.IsPrint(r) {
			r = '·'
		}
		line = append(line, r)
	}
	if len(line) == 0 {
		return `""`
	}
	return string(line)
}

// Printable returns s with everything but line ends escaped that a terminal might obey.
func Printable(s string) string {
	var escaped strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			_, size := utf8.DecodeRuneInString(s[i:])
			if size == 1 {
				fmt.Fprintf(&escaped, `\x%02x`, s[i])
				continue
			}
			escaped.WriteRune(r)
		case r == '\n' || strconv.IsPrint(r):
			escaped.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&escaped, `\x%02x`, r)
		default:
			escapeJSON(&escaped, r)
		}
	}
	return escaped.String()
}

// JSON returns JSON with everything escaped that a terminal might obey. It stands for the same value.
func JSON(encoded []byte) string {
	var escaped strings.Builder
	escaped.Grow(len(encoded))
	for _, r := range string(encoded) {
		if r < ' ' || strconv.IsPrint(r) { // encoding/json escapes what is below a space itself
			escaped.WriteRune(r)
		} else {
			escapeJSON(&escaped, r)
		}
	}
	return escaped.String()
}

func escapeJSON(out *strings.Builder, r rune) {
	if r > 0xffff {
		r -= 0x10000
		fmt.Fprintf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		return
	}
	fmt.Fprintf(out, `\u%04x`, r)
}

// Wrap breaks a text between words into lines of width columns, each after an indent. A longer word has a line of its own.
func Wrap(text, indent string, width int) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = indent + word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = indent + word
		}
	}
	return strings.Join(append(lines, line), "\n")
}
