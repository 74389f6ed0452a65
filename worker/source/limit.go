package source

import (
	"errors"
	"io"
)

const bufferSize = 64 << 10

var errTooLong = errors.New("too long")

// limit reads what may be part of one item, and fails when that is too much.
type limit struct {
	io.Reader
	left int // bytes
}

// restart begins another item.
func (l *limit) restart() { l.left = maxItem + bufferSize }

// Read implements io.Reader.
func (l *limit) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, errTooLong
	}
	n, err := l.Reader.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
