package handler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/workqueue/workqueue/worker/queue"
)

// TestUnstarted starts files that are no programs. The reason says what is wrong and the way out.
func TestUnstarted(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("folder", 0o755); err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct {
		content string
		mode    os.FileMode
		program string // FILE for the file with the content
		want    string
	}{
		{"#!/bin/bash\r\necho hi \"$1\"\r\n", 0o755, "FILE", `its first line names the interpreter "/bin/bash\r", with a carriage return: save the file with line feeds alone (dos2unix)`},
		{"#!/usr/bin/env\r\n", 0o755, "FILE", `the interpreter "/usr/bin/env\r", with a carriage return`},
		{"#!/bin/sh -e\r\n", 0o755, "FILE", ""}, // the kernel finds sh, which does not know the option
		{"#! /nonexistent -x\n", 0o755, "FILE", `its first line names the interpreter "/nonexistent", which does not exist`},
		{"echo hi \"$1\"\n", 0o755, "FILE", "it has no #! line: begin it with one, such as #!/bin/sh"},
		{"\ufeff#!/bin/sh\n", 0o755, "FILE", "a byte order mark precedes its #! line"},
		{"", 0o755, "FILE", "the file is empty"},
		{"\x7fELF\x02\x01\x01", 0o755, "FILE", "it was built for another processor"},
		{"", 0o755, "./folder", "it is a directory: name a program in it"},
		{"", 0o755, "./nonesuch", "no such file or directory"},
		{"", 0o755, "nonesuch", "executable file not found in $PATH: name a program of the image, or its path"},
		{"#!/bin/sh\n", 0o755, "inpath", "it is in the current directory, which programs are not started from by name alone: write ./inpath"},
	} {
		file := filepath.Join(dir, fmt.Sprint("program", i))
		if test.program == "inpath" {
			file = filepath.Join(dir, test.program)
			t.Setenv("PATH", ".:"+os.Getenv("PATH"))
		}
		if err := os.WriteFile(file, []byte(test.content), test.mode); err != nil {
			t.Fatal(err)
		}
		program := strings.ReplaceAll(test.program, "FILE", file)
		a := runOne(t, newExec(program), "x")
		switch {
		case test.want == "":
		case a.Outcome != OutcomeInvalid || !strings.HasPrefix(a.Reason, "cannot run "+program+": ") || !strings.Contains(a.Reason, test.want):
			t.Errorf("%q, %s: %+v", test.content, program, a)
		}
	}
}

// TestUnstartedAgain: what a failed start means depends on whether the program has been started before. A shortage never counts.
func TestUnstartedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.EBADF, syscall.ETXTBSY, os.ErrDeadlineExceeded,
		context.DeadlineExceeded, context.Canceled} {
		if a := Unstarted(file, fmt.Errorf("start: %w", err)); a.Outcome != queue.OutcomeSnoozed {
			t.Errorf("%v: %+v", err, a)
		}
	}
	if a := Unstarted(file, syscall.EIO); a.Outcome != OutcomeInvalid {
		t.Errorf("before the first start: %+v", a)
	}
	if a := runOne(t, newExec(file), "x"); a.Outcome != queue.OutcomeDone {
		t.Fatalf("%+v", a)
	}
	for _, spoil := range []func() error{
		func() error { return os.Chmod(file, 0o644) },
		func() error {
			return errors.Join(os.WriteFile(file, []byte("#!/nonesuch\n"), 0o755), os.Chmod(file, 0o755))
		},
		func() error { return os.WriteFile(file, []byte("echo\n"), 0o755) },
		func() error { return os.Remove(file) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if a := runOne(t, newExec(file), "x"); a.Outcome != queue.OutcomeFailed || !strings.HasPrefix(a.Reason, "cannot run "+file+": ") {
			t.Errorf("after the first start: %+v", a)
		}
	}
	if a := Unstarted(file, syscall.EBADF); a.Outcome != queue.OutcomeSnoozed {
		t.Errorf("%+v", a)
	}
}
