// Package source reads the items of a queue from where they are: files, folders, ranges, the output of a command.
package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// maxItem is the longest item that is read from a list. Without a limit, a list with the wrong delimiter would
// be one item that fills the memory.
const maxItem = 64 << 20

// Lines reads items that each end with a delimiter. As with xargs, an empty line is no item, whereas between two NULs
// there is one, the empty item.
type Lines struct {
	buffer    *bufio.Reader
	delimiter byte
}

// NewLines reads from r.
func NewLines(r io.Reader, delimiter byte) *Lines {
	return &Lines{bufio.NewReaderSize(r, 64<<10), delimiter}
}

// Each calls each for every item until it returns an error. The last item needs no delimiter.
func (l *Lines) Each(each func(payload string) error) error {
	for {
		item, err := l.next()
		if err != nil && err != io.EOF {
			return err
		}
		if len(item) > 0 || (l.delimiter == 0 && err == nil) {
			if err := each(string(item)); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// More reports whether more is read already, so that the next item will probably not keep anyone waiting.
func (l *Lines) More() bool { return l.buffer.Buffered() > 0 }

// next returns an item without its delimiter, valid until it is called again, and io.EOF with or after the last.
func (l *Lines) next() ([]byte, error) {
	var long []byte
	for {
		part, err := l.buffer.ReadSlice(l.delimiter)
		if len(long)+len(part) > maxItem {
			return nil, fmt.Errorf("an item is longer than %d bytes: is the delimiter right?", maxItem)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, part...)
			continue
		}
		if long != nil {
			part = append(long, part...)
		}
		if err == nil {
			part = part[:len(part)-1]
		}
		return part, err
	}
}
