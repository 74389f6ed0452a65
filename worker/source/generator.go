package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// stopTimeout limits the time that a generator takes to end after TERM, and that one whose list is wrong takes to fail by itself.
	stopTimeout = 5 * time.Second
	// leftTimeout limits the time that the processes a generator has left behind take to end after TERM.
	leftTimeout = 2 * time.Second
	// heldDelay limits the time for which they go on writing items before that, as the last process of a pipeline does.
	heldDelay = time.Second
	// killDelay limits the wait for the kernel to end a process after KILL.
	killDelay = time.Second
	pollDelay = 5 * time.Millisecond
)

// Generator runs a command whose output is a list of items: a listing of a bucket, a query, find(1). The list ends when the program ends,
// and so do the processes of its group that it has left behind, such as a proxy. If the program fails, that is the error, whatever is
// wrong with the list, and none of what it printed is to be used.
func Generator(ctx context.Context, args, env []string, layout Layout, log *slog.Logger, each func(payload string) error) error {
	p, err := startProgram(ctx, args, env)
	if err != nil {
		missing := errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
		return &Error{fmt.Errorf("cannot run %s: %w", args[0], err), missing}
	}
	defer p.end()
	err = from(ctx, each, func(each func(string) error) error {
		if err := NewList(p, layout).Each(each); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		return nil
	})
	wrong := (*Error)(nil)
	switch {
	case err == nil:
		select {
		case <-p.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	case errors.As(err, &wrong):
		if !p.endsWithin(stopTimeout) {
			return err
		}
	default:
		return err
	}
	if p.err != nil {
		return &Error{fmt.Errorf("%s: %w; nothing of what it printed was published", args[0], p.err), false}
	}
	if err == nil && p.held {
		log.Warn("the program that lists items has ended, and processes that it left behind are ended now: what they would still print is not in the list; "+
			"let the program wait for them if it is needed", "program", args[0])
	}
	return err
}

// program is a running program, whose output is read. Only one goroutine may read.
type program struct {
	ctx    context.Context
	pid    int // and the ID of its group
	output *os.File
	last   bool // only what was in the pipe when the program ended, or a moment later, is read
	left   int  // that much of it, in bytes
	held   bool // another process still held the pipe open then

	ended chan struct{} // closed when the program has ended
	err   error         // its failure
	stop  func() bool
}

func startProgram(ctx context.Context, args, env []string) (*program, error) {
	output, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	// The output is a file, so that Wait waits for the program alone.
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, write, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = output.Close()
		return nil, err
	}
	p := &program{ctx: ctx, pid: cmd.Process.Pid, output: output, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
		delay := heldDelay
		if p.err != nil || ctx.Err() != nil {
			delay = 0
		}
		_ = output.SetReadDeadline(time.Now().Add(delay))
	}()
	p.stop = context.AfterFunc(ctx, func() { _ = output.SetReadDeadline(time.Now()) })
	return p, nil
}

// Read implements io.Reader. It returns io.EOF after all that was written before the program ended, or a moment after that.
func (p *program) Read(b []byte) (int, error) {
	if !p.last {
		n, err := p.output.Read(b)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if p.ctx.Err() != nil {
			return 0, p.ctx.Err()
		}
		<-p.ended
		if p.err != nil {
			return 0, p.err
		}
		p.last = true
		p.left, p.held = p.pipe()
		_ = p.output.SetReadDeadline(time.Time{})
	}
	if p.left == 0 {
		return 0, io.EOF
	}
	n, err := p.output.Read(b[:min(len(b), p.left)]) // which is there already
	p.left -= n
	return n, err
}

// pipe returns how many bytes are in the pipe, and whether any process can still write to it.
func (p *program) pipe() (unread int, held bool) {
	conn, err := p.output.SyscallConn()
	if err != nil {
		return 0, false
	}
	_ = conn.Control(func(fd uintptr) {
		end := []unix.PollFd{{Fd: int32(fd)}}
		_, _ = unix.Poll(end, 0)
		held = end[0].Revents&unix.POLLHUP == 0
		unread, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ)
	})
	return unread, held
}

// endsWithin reports whether the program ends by itself within a time. What it prints meanwhile is dropped.
func (p *program) endsWithin(timeout time.Duration) bool {
	go func() { _, _ = io.Copy(io.Discard, p) }()
	select {
	case <-p.ended:
		return true
	case <-p.ctx.Done():
	case <-time.After(timeout):
	}
	return false
}

// end ends the program, if it runs, and what it has left behind. It returns when they have ended.
func (p *program) end() {
	p.stop()
	timeout := stopTimeout
	select {
	case <-p.ended:
		timeout = leftTimeout
	default:
	}
	signal := syscall.SIGTERM
	for deadline := time.Now().Add(timeout); syscall.Kill(-p.pid, signal) == nil; time.Sleep(pollDelay) {
		signal = 0 // TERM once
		if late := time.Since(deadline); late > killDelay {
			break
		} else if late > 0 {
			signal = syscall.SIGKILL
		}
	}
	_ = p.output.Close()
}
