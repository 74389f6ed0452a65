package stream

import (
	"bufio"
	"strconv"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// writeLine writes the line of an item to the program. The item is the last field, where a program without a JSON parser can find it.
// Package json would make a copy of a large item, and take most of the worker's time for that.
func writeLine(w *bufio.Writer, id string, item queue.Item) {
	payload, encoding := text.Encode(item.Payload)
	_, _ = w.WriteString(`{"id":`)
	writeString(w, id)
	_, _ = w.WriteString(`,"attempt":`)
	_, _ = w.WriteString(strconv.Itoa(item.Attempts + 1))
	if encoding != "" {
		_, _ = w.WriteString(`,"encoding":`)
		writeString(w, encoding)
	}
	_, _ = w.WriteString(`,"item":`)
	writeString(w, payload)
	_, _ = w.WriteString("}\n")
}

// writeString writes a string, which is UTF-8, as JSON.
func writeString(w *bufio.Writer, s string) {
	const hex = "0123456789abcdef"
	_ = w.WriteByte('"')
	for {
		n := plain(s)
		_, _ = w.WriteString(s[:n])
		if n == len(s) {
			break
		}
		switch c := s[n]; c {
		case '"', '\\':
			_, _ = w.Write([]byte{'\\', c})
		case '\n':
			_, _ = w.WriteString(`\n`)
		case '\t':
			_, _ = w.WriteString(`\t`)
		default:
			_, _ = w.Write([]byte{'\\', 'u', '0', '0', hex[c>>4], hex[c&15]})
		}
		s = s[n+1:]
	}
	_ = w.WriteByte('"')
}

// plain returns the number of bytes before the first one that JSON escapes. It looks at eight bytes at once: of a word, less a byte
// in each place, the highest bit of a place is set where the byte was smaller, and maybe in places above that.
func plain(s string) int {
	const ones, highest = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		b := s[i : i+8]
		word := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		quote, backslash := word^ones*'"', word^ones*'\\'
		if ((word-ones*' ')|(quote-ones)|(backslash-ones))&^word&highest != 0 {
			break
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}
