package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// stopTimeout is how long a generator may take to end after TERM.
const stopTimeout = 5 * time.Second

// Generator runs a command whose output is a list of items: a listing of a bucket, a query, find(1). If it fails, none of
// what it printed is to be used.
func Generator(ctx context.Context, args, env []string, layout Layout, each func(payload string) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = env
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	output, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		missing := errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
		return &Error{fmt.Errorf("cannot run %s: %w", args[0], err), missing}
	}
	err = from(each, func(each func(string) error) error {
		if err := NewList(output, layout).Each(each); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		return nil
	})
	if err != nil {
		cancel()
		_ = cmd.Wait()
		return err
	}
	if err := cmd.Wait(); err != nil {
		return &Error{fmt.Errorf("%s: %w; nothing of what it printed was published", args[0], err), false}
	}
	return nil
}
