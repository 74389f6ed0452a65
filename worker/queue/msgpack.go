package queue

import (
	"encoding/binary"
	"errors"
)

var errMsgpack = errors.New("not a msgpack array of strings")

// unpackStrings reads a msgpack array of strings, the only form that Redis's cmsgpack.pack gives a list of payloads.
// The strings share packed's memory. See https://github.com/msgpack/msgpack/blob/master/spec.md.
func unpackStrings(packed string) ([]string, error) {
	if packed == "\x80" { // Lua has one empty table for lists and maps alike
		return nil, nil
	}
	count, rest, ok := header(packed, 0x90, 0x0f, [3]byte{0, 0xdc, 0xdd})
	if !ok || count > len(rest) { // each string takes a byte at least
		return nil, errMsgpack
	}
	values := make([]string, count)
	for i := range values {
		size, body, ok := header(rest, 0xa0, 0x1f, [3]byte{0xd9, 0xda, 0xdb})
		if !ok || size > len(body) {
			return nil, errMsgpack
		}
		values[i], rest = body[:size], body[size:]
	}
	if rest != "" {
		return nil, errMsgpack
	}
	return values, nil
}

// header reads a length: in the low bits of the first byte where its high bits are fixed, or else big-endian in one,
// two or four bytes after the first, which is then wide[0], wide[1] or wide[2].
func header(s string, fixed, mask byte, wide [3]byte) (length int, rest string, ok bool) {
	if s == "" {
		return 0, "", false
	}
	first := s[0]
	if first&^mask == fixed {
		return int(first & mask), s[1:], true
	}
	for i, code := range wide {
		width := 1 << i
		if code != 0 && first == code && len(s) > width {
			var bytes [4]byte
			copy(bytes[4-width:], s[1:1+width])
			return int(binary.BigEndian.Uint32(bytes[:])), s[1+width:], true
		}
	}
	return 0, "", false
}
