package source

import (
	"context"
	"io"
	"os"
)

// await returns what do returns. If ctx is done before that, it returns ctx's error, and do goes on in vain.
func await[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do()
		done <- result{value, err}
	}()
	select {
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	case r := <-done:
		return r.value, r.err
	}
}

// open opens a file. A FIFO may keep it waiting until ctx is done.
func open(ctx context.Context, path string) (*os.File, error) {
	return await(ctx, func() (*os.File, error) { return os.Open(path) })
}

// Interruptible returns a reader of r that fails with ctx's error when ctx is done, even while r waits, as a terminal or a pipe does.
func Interruptible(ctx context.Context, r io.Reader) io.Reader {
	return &interruptible{ctx: ctx, reader: r}
}

type interruptible struct {
	ctx    context.Context
	reader io.Reader
	buffer [bufferSize]byte // of its own, because a read that goes on in vain may fill it
}

// Read implements io.Reader.
func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := await(i.ctx, func() (int, error) { return i.reader.Read(i.buffer[:min(len(p), bufferSize)]) })
	return copy(p, i.buffer[:n]), err
}
