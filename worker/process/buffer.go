package process

import (
	"io"
	"sync"
)

// ReadSize is how many bytes of a process's output are read at once.
const ReadSize = 32 << 10

// buffered is the destination of a process's output. It is read into buffers that are used again: two new ones for each item
// would be most of what the worker allocates.
type buffered struct{ io.Writer }

var buffers = sync.Pool{New: func() any { return new([ReadSize]byte) }}

// ReadFrom implements io.ReaderFrom, which os/exec prefers to a buffer of its own.
func (b buffered) ReadFrom(r io.Reader) (int64, error) {
	buffer := buffers.Get().(*[ReadSize]byte)
	defer buffers.Put(buffer)
	return io.CopyBuffer(b.Writer, r, buffer[:])
}
