package handler

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// unwatched makes a pipe whose ends are not watched by the runtime, as those of package os are.
func unwatched() (exit int, entrance *os.File, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return 0, nil, os.NewSyscallError("pipe2", err)
	}
	return ends[0], os.NewFile(uintptr(ends[1]), "|1"), nil
}

// pipe carries a program's output here. The runtime, if it watched, would wake a thread for every write of the program, also
// while it is better to let some answers gather.
type pipe struct {
	entrance *os.File // for the program
	exit     int
	stop     int // an eventfd that ends a Read
}

func newPipe() (*pipe, error) {
	exit, entrance, err := unwatched()
	if err != nil {
		return nil, err
	}
	p := &pipe{exit: exit, entrance: entrance}
	if p.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		_ = p.entrance.Close()
		_ = unix.Close(p.exit)
		return nil, os.NewSyscallError("eventfd", err)
	}
	return p, nil
}

// Read implements io.Reader. Only one goroutine may read.
func (p *pipe) Read(b []byte) (int, error) {
	for {
		ready := []unix.PollFd{{Fd: int32(p.stop), Events: unix.POLLIN}, {Fd: int32(p.exit), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, -1)
		if err == nil {
			if ready[0].Revents != 0 {
				return 0, io.EOF
			}
			n, err = unix.Read(p.exit, b)
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

// halt ends the reading, though somebody may hold the entrance open.
func (p *pipe) halt() { _, _ = unix.Write(p.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// close lets go of all of it. Nobody may read any more.
func (p *pipe) close() {
	_ = p.entrance.Close()
	_ = unix.Close(p.exit)
	_ = unix.Close(p.stop)
}
