package process

import (
	"io"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// PipeHolds is how many bytes a pipe takes before anybody reads, however little memory the kernel may give it.
const PipeHolds = 4 << 10

// Text returns a standard input that holds a text. A short text is in the pipe before the process starts, so that it takes no
// goroutine to write it. The caller closes the input.
func Text(text string) (io.ReadCloser, error) {
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

// Input is the worker's end of a pipe that is a process's standard input. It knows how much of what was written the process has read.
type Input struct {
	file *os.File

	mu      sync.Mutex // held while bytes enter the pipe, so that written is exact
	written int
}

// NewInput returns a pipe: the process's end and the worker's.
func NewInput() (stdin *os.File, input *Input, err error) {
	stdin, write, err := os.Pipe()
	return stdin, &Input{file: write}, err
}

// Write implements io.Writer. It waits while the pipe is full.
func (i *Input) Write(p []byte) (int, error) {
	conn, err := i.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	sent := 0
	var failed error
	err = conn.Write(func(fd uintptr) (done bool) {
		i.mu.Lock()
		defer i.mu.Unlock()
		for sent < len(p) {
			n, err := unix.Write(int(fd), p[sent:])
			switch {
			case err == syscall.EINTR:
			case err == syscall.EAGAIN:
				return false
			case err != nil:
				failed = os.NewSyscallError("write", err)
				return true
			default:
				sent += n
				i.written += n
			}
		}
		return true
	})
	if failed != nil {
		err = failed
	}
	return sent, err
}

// Consumed returns how many of the bytes that were written the process has read, in all. It is not exact after Close.
func (i *Input) Consumed() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.written - Unread(i.file)
}

// Unread returns how many bytes are in a pipe, of which the file is either end. It is 0 if the file is closed.
func Unread(end *os.File) (bytes int) {
	control(end, func(fd int) { bytes, _ = unix.IoctlGetInt(fd, unix.TIOCINQ) })
	return bytes
}

// Written returns how many bytes have entered the pipe and were not taken back.
func (i *Input) Written() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.written
}

// TakeBack notes that the worker has read bytes out of the pipe again.
func (i *Input) TakeBack(bytes int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.written -= bytes
}

// AwaitRead waits until there is room in the pipe. If that holds no more than a page, the process has read all that was written.
func (i *Input) AwaitRead() error {
	conn, err := i.file.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Write(func(fd uintptr) bool {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
		return ready > 0 || err != nil && err != syscall.EINTR
	})
}

// Closed reports whether no process can read any more what is written.
func (i *Input) Closed() (closed bool) {
	control(i.file, func(fd int) {
		end := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(end, 0)
		closed = err == nil && n > 0 && end[0].Revents&unix.POLLERR != 0
	})
	return closed
}

func control(file *os.File, use func(fd int)) {
	if conn, err := file.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { use(int(fd)) })
	}
}

// Close ends the process's input.
func (i *Input) Close() error { return i.file.Close() }
