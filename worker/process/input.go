package process

import (
	"io"
	"os"
	"strings"
)

// PipeHolds is how many bytes a pipe takes before anybody reads, however little memory the kernel may give it.
const PipeHolds = 4 << 10

// Input returns a standard input that holds a text. A short text is in the pipe before the process starts, so that it takes no
// goroutine to write it. The caller closes the input.
func Input(text string) (io.ReadCloser, error) {
	if len(text) > PipeHolds {
		return io.NopCloser(strings.NewReader(text)), nil
	}
	readEnd, writeEnd, err := unpolledPipe()
	if err != nil {
		return nil, err
	}
	defer writeEnd.Close()
	input := os.NewFile(uintptr(readEnd), "|0")
	if _, err := writeEnd.WriteString(text); err != nil {
		_ = input.Close()
		return nil, err
	}
	return input, nil
}
