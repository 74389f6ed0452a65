package process

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// unpolledPipe returns a pipe whose ends the runtime does not poll, unlike those of package os.
func unpolledPipe() (readEnd int, writeEnd *os.File, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return 0, nil, os.NewSyscallError("pipe2", err)
	}
	return ends[0], os.NewFile(uintptr(ends[1]), "|1"), nil
}

// pipe carries the messages of a process to the worker. With a pipe of package os the runtime would wake a thread for every write of the
// process, even while the reader pauses.
type pipe struct {
	writeEnd *os.File // for the process
	readEnd  int
	stop     int // an eventfd that ends a Read
}

func newPipe() (*pipe, error) {
	readEnd, writeEnd, err := unpolledPipe()
	if err != nil {
		return nil, err
	}
	p := &pipe{readEnd: readEnd, writeEnd: writeEnd}
	if p.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		_ = p.writeEnd.Close()
		_ = unix.Close(p.readEnd)
		return nil, os.NewSyscallError("eventfd", err)
	}
	return p, nil
}

// errHeld means that the process has ended, but another one still holds the write end.
var errHeld = errors.New("another process still holds it open")

// Read implements io.Reader. Only one goroutine may read. After stopReading it returns what is in the pipe, and then io.EOF if no process
// holds the write end, or else errHeld.
func (p *pipe) Read(b []byte) (int, error) {
	for {
		ready := []unix.PollFd{{Fd: int32(p.stop), Events: unix.POLLIN}, {Fd: int32(p.readEnd), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, -1)
		if err == nil {
			if ready[1].Revents == 0 {
				return 0, errHeld
			}
			n, err = unix.Read(p.readEnd, b)
		}
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// stopReading keeps Read from waiting, even if some process still holds the write end open.
func (p *pipe) stopReading() { _, _ = unix.Write(p.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// close closes the pipe. No call of Read may follow.
func (p *pipe) close() {
	_ = p.writeEnd.Close()
	_ = unix.Close(p.readEnd)
	_ = unix.Close(p.stop)
}
