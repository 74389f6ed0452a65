package handler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// Unstarted returns the attempt of an item whose program could not be started. A shortage passes, so the item is snoozed. A program that this worker
// has started before has failed. Any other cannot be started for any item: the configuration is wrong.
func Unstarted(program string, err error) Attempt {
	a := Attempt{Outcome: OutcomeInvalid, ExitCode: process.ExitCannotRun, Reason: fmt.Sprintf("cannot run %s: %s", program, whyUnstarted(program, err))}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		a.ExitCode = process.ExitNotFound
	}
	switch {
	case errors.Is(err, syscall.E2BIG):
		a.Outcome = queue.OutcomeDead
		a.Reason += ": all arguments and variables are too long together: " + readStdin
	case slices.ContainsFunc(transient, func(shortage error) bool { return errors.Is(err, shortage) }):
		a.Outcome = queue.OutcomeSnoozed
	case process.HasStarted(program):
		a.Outcome = queue.OutcomeFailed
	}
	return a
}

// transient are the errors of a kernel that is short of processes, memory or files, of a program that is still being written, and of a start that came
// too late.
var transient = []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.EBADF, syscall.ETXTBSY,
	context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded}

// whyUnstarted returns what is wrong with a program that could not be started, and the way out.
func whyUnstarted(program string, err error) string {
	var failed *fs.PathError
	switch {
	case errors.Is(err, exec.ErrDot):
		return fmt.Sprintf("it is in the current directory, which programs are not started from by name alone: write ./%s", program)
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Sprintf("%v: name a program of the image, or its path", errors.Unwrap(err))
	case !errors.As(err, &failed):
		return err.Error()
	}
	info, statErr := os.Stat(failed.Path)
	switch {
	case statErr != nil:
		return err.Error()
	case info.IsDir():
		return "it is a directory: name a program in it"
	case errors.Is(err, fs.ErrPermission) && info.Mode()&0o111 == 0:
		return fmt.Sprintf("%v: the file is not executable: chmod +x it, or name its interpreter before it, such as sh", err)
	case errors.Is(err, fs.ErrNotExist):
		return noInterpreter(beginning(failed.Path))
	case errors.Is(err, syscall.ENOEXEC):
		return noFormat(beginning(failed.Path))
	}
	return err.Error()
}

// noInterpreter returns why a file that exists is not found, by its beginning: what should run it is not there.
func noInterpreter(file string) string {
	line, isScript := strings.CutPrefix(file, "#!")
	if !isScript {
		return "the file is there, but not the loader that it needs: it was built for another C library, such as glibc in place of musl"
	}
	line, _, _ = strings.Cut(line, "\n")
	fixed := strings.TrimRight(line, "\r")
	interpreter, _, _ := strings.Cut(strings.TrimLeft(fixed, " \t"), " ")
	if line != fixed {
		return fmt.Sprintf("its first line names the interpreter %q, with a carriage return: save the file with line feeds alone (dos2unix)", interpreter+"\r")
	}
	return fmt.Sprintf("its first line names the interpreter %q, which does not exist: install it in the image, or name another", interpreter)
}

// noFormat returns why the kernel cannot run a file, by its beginning.
func noFormat(file string) string {
	switch {
	case file == "":
		return "the file is empty"
	case strings.HasPrefix(file, "\x7fELF"):
		return "it was built for another processor: use an image for this node's"
	case strings.HasPrefix(file, "\ufeff#!"):
		return "a byte order mark precedes its #! line: save the file as UTF-8 without it"
	}
	return "it has no #! line: begin it with one, such as #!/bin/sh, or name its interpreter before it, such as sh"
}

// beginning returns the first bytes of a file, "" if it cannot be read.
func beginning(path string) string {
	const size = 256 // what the kernel reads of it
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	start, _ := io.ReadAll(io.LimitReader(file, size))
	return text.Head(string(start), size)
}
