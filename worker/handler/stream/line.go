package stream

import (
	"bufio"
	"strconv"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// writeLine writes the line of an item to the program, and returns its size. The item is the last field, where a program without a JSON parser can find it.
// Package json would make a copy of a large item, and take most of the worker's time for that.
func writeLine(w *bufio.Writer, id string, item queue.Item) (size int) {
	payload, encoding := text.Encode(item.Payload)
	size += writeText(w, `{"id":`) + writeString(w, id) + writeText(w, `,"attempt":`+strconv.Itoa(item.Attempts+1))
	if encoding != "" {
		size += writeText(w, `,"encoding":`) + writeString(w, encoding)
	}
	return size + writeText(w, `,"item":`) + writeString(w, payload) + writeText(w, "}\n")
}

func writeText(w *bufio.Writer, s string) (size int) {
	size, _ = w.WriteString(s)
	return size
}

// writeString writes a string, which is UTF-8, as JSON, and returns its size there.
func writeString(w *bufio.Writer, s string) (size int) {
	const hex = "0123456789abcdef"
	size = writeText(w, `"`)
	for {
		n := plain(s)
		size += writeText(w, s[:n])
		if n == len(s) {
			break
		}
		switch c := s[n]; c {
		case '"', '\\':
			size += writeText(w, string([]byte{'\\', c}))
		case '\n':
			size += writeText(w, `\n`)
		case '\t':
			size += writeText(w, `\t`)
		default:
			size += writeText(w, string([]byte{'\\', 'u', '0', '0', hex[c>>4], hex[c&15]}))
		}
		s = s[n+1:]
	}
	return size + writeText(w, `"`)
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
