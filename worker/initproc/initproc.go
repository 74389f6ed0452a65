// Package initproc makes a program fit to be a container's first process.
package initproc

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Main hides this process from others of the same user (see hide) and returns, unless this is process 1. Process 1 adopts every
// orphan in the container. If it also waited for children of its own, it could not reap orphans without stealing their exit status.
// So it starts the program again as its only child, passes signals on to it, reaps whatever ends, and exits as that child does.
func Main() {
	hide()
	if os.Getpid() != 1 {
		return
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals)
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	child, err := syscall.ForkExec(self, os.Args, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "worker: cannot start itself: %v\n", err)
		os.Exit(126)
	}
	go func() {
		for s := range signals {
			switch s {
			case syscall.SIGCHLD, syscall.SIGURG: // of this process alone; Go itself uses SIGURG
			default:
				_ = syscall.Kill(child, s.(syscall.Signal))
			}
		}
	}()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			os.Exit(1)
		case pid == child && status.Exited():
			os.Exit(status.ExitStatus())
		case pid == child && status.Signaled():
			os.Exit(128 + int(status.Signal()))
		}
	}
}
