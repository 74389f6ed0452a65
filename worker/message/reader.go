package message

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/workqueue/workqueue/worker/text"
)

// MaxBytes is the largest size of a line.
const MaxBytes = 4 << 20

// quoted limits what an error shows of a line, in bytes.
const quoted = 200

// Invalid is the error for a line that breaks the contract.
type Invalid struct {
	Line string // its beginning
	Err  error
}

// Error implements error.
func (e *Invalid) Error() string { return fmt.Sprintf("file descriptor 3: %q: %v", e.Line, e.Err) }

// Unwrap implements error.
func (e *Invalid) Unwrap() error { return e.Err }

// Read reads messages until r ends, and passes each to accept. It returns at the first line that is not a message or that accept refuses,
// with an *Invalid error, or with an error of r, which may be io.EOF.
func Read(r io.Reader, accept func(Message) error) error {
	lines := bufio.NewReaderSize(r, 32<<10)
	var long []byte // the beginning of a line that is longer than the buffer
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, line...); len(long) > MaxBytes {
				return invalid(long, fmt.Errorf("the line is longer than %d MiB", MaxBytes>>20))
			}
			continue
		}
		if long != nil {
			line, long = append(long, line...), nil
		}
		if err != nil {
			if len(line) > 0 && errors.Is(err, io.EOF) {
				return invalid(line, errors.New("the line has no end"))
			}
			return err
		}
		if line = line[:len(line)-1]; len(line) > MaxBytes {
			return invalid(line, fmt.Errorf("the line is longer than %d MiB", MaxBytes>>20))
		}
		m, err := Parse(line)
		if err == nil {
			err = accept(m)
		}
		if err != nil {
			return invalid(line, err)
		}
	}
}

func invalid(line []byte, err error) error {
	return &Invalid{text.Shorten(string(line[:min(len(line), quoted+4)]), quoted), err}
}
