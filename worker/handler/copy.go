package handler

import (
	"io"
	"sync"
)

// buffered is a writer of a program's output. It is read into buffers that were used before: two new ones for each item
// would be most of what the worker allocates.
type buffered struct{ io.Writer }

var buffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// ReadFrom implements io.ReaderFrom, which os/exec prefers to a buffer of its own.
func (b buffered) ReadFrom(r io.Reader) (int64, error) {
	buffer := buffers.Get().(*[readSize]byte)
	defer buffers.Put(buffer)
	return io.CopyBuffer(b.Writer, r, buffer[:])
}
