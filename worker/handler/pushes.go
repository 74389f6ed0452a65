package handler

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/source"
)

// Pushes is the folder of the files to which programs append items, a file for each process.
type Pushes struct {
	// The programs run as the same user as the worker. So the folder is opened once, and only files are read that are in it: a program
	// that puts a link to one of the worker's own files there, or in place of the folder, gets nothing of it.
	folder    *os.Root
	delimiter byte
	files     atomic.Int64
}

// NewPushes makes a folder in the system's one for temporary files. Items are separated by the delimiter.
func NewPushes(delimiter byte) (*Pushes, error) {
	path, err := os.MkdirTemp("", "workqueue-push-")
	if err != nil {
		return nil, err
	}
	folder, err := os.OpenRoot(path)
	return &Pushes{folder: folder, delimiter: delimiter}, err
}

// errEnough ends the reading of items of which there are too many.
var errEnough = errors.New("too many items")

// next returns the name of a file that no other process has, and the variable by which a process finds it. The file does not exist: most
// programs push nothing.
func (p *Pushes) next() (name, variable string) {
	name = strconv.FormatInt(p.files.Add(1), 10)
	return name, "WQ_PUSH=" + filepath.Join(p.folder.Name(), name)
}

// take returns the items in a file, the first of them if they are more than an item can push, and removes it.
func (p *Pushes) take(name string) (items []string, err error) {
	info, err := p.folder.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	defer func() { err = errors.Join(err, p.folder.RemoveAll(name)) }()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no longer a file")
	case info.Size() > 2*queue.MaxPushBytes:
		return nil, fmt.Errorf("it has %d bytes, and an item can push %d MiB", info.Size(), queue.MaxPushBytes>>20)
	}
	file, err := p.folder.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	bytes := 0
	list := source.NewList(file, source.Layout{Format: source.Lines, Delimiter: p.delimiter})
	err = list.Each(func(payload string) error {
		items = append(items, payload)
		if bytes += len(payload); len(items) > queue.MaxPush || bytes > queue.MaxPushBytes {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return items, err
}

// Close removes the folder.
func (p *Pushes) Close() error { return errors.Join(os.RemoveAll(p.folder.Name()), p.folder.Close()) }

// push returns an attempt that is done together with what the program has pushed. It is a failure if that cannot be read.
func (p *Pushes) push(attempt Attempt, name string) Attempt {
	items, err := p.take(name)
	if attempt.Outcome != queue.OutcomeDone {
		return attempt
	}
	if err != nil {
		return Attempt{Outcome: queue.OutcomeFailed, Reason: fmt.Sprintf("what the program pushed cannot be read from $WQ_PUSH: %v", err),
			Started: attempt.Started, Duration: attempt.Duration}
	}
	attempt.Push = items
	return attempt
}
