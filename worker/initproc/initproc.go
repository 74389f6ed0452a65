// Package initproc makes a program fit to be a container's first process.
package initproc

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/workqueue/workqueue/worker/process"
)

// How a program that is killed is started again: after a wait that is doubled each time, unless it has run well before. One that is
// killed again and again ends this process too, so that the Job counts a failed pod.
const (
	firstWait   = time.Second
	longestWait = 30 * time.Second
	ranWell     = time.Minute
	maxRestarts = 10
)

// Main hides this process from others of the same user (see hide) and returns, unless this is process 1. Process 1 adopts every
// orphan in the container. If it also waited for children of its own, it could not reap orphans without stealing their exit status.
// So it starts the program again as its only child, passes signals on to it, reaps whatever ends, and exits as that child does.
//
// With restart it starts the child anew if a signal has killed it that it did not pass on: a lost worker need not be a lost container.
func Main(restart bool) {
	hide()
	if os.Getpid() != 1 {
		return
	}
	s := &supervisor{passed: map[syscall.Signal]bool{}, stop: make(chan syscall.Signal, 1)}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals)
	go func() {
		for received := range signals {
			s.pass(received.(syscall.Signal))
		}
	}()
	os.Exit(s.run(restart))
}

// supervisor runs the program as a child.
type supervisor struct {
	stop chan syscall.Signal // the container is told to stop

	mu     sync.Mutex
	child  int // 0 while there is none
	passed map[syscall.Signal]bool
}

// pass passes a signal on to the child.
func (s *supervisor) pass(received syscall.Signal) {
	if received == syscall.SIGCHLD || received == syscall.SIGURG { // of this process alone; Go itself uses SIGURG
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed[received] = true
	if received == syscall.SIGTERM || received == syscall.SIGINT {
		select {
		case s.stop <- received:
		default:
		}
	}
	if s.child > 0 {
		_ = syscall.Kill(s.child, received)
	}
}

// run runs the program until it has ended for good, and returns the exit code.
func (s *supervisor) run(restart bool) int {
	wait := firstWait
	for restarts := 0; ; restarts++ {
		started := time.Now()
		status, err := s.runOnce()
		if time.Since(started) >= ranWell {
			wait, restarts = firstWait, 0
		}
		switch {
		case err != nil && restarts == 0:
			fmt.Fprintf(os.Stderr, "worker: cannot start itself: %v\n", err)
			return 126
		case err == nil && status.Exited():
			return status.ExitStatus()
		case !restart || restarts >= maxRestarts || s.isStopping() || err == nil && s.hasPassed(status.Signal()):
			return code(status)
		}
		endAll()
		fmt.Fprintf(os.Stderr, "worker: the worker was killed by signal %d (%v); it starts again in %v, and what it ran comes back when its lease ends\n",
			int(status.Signal()), status.Signal(), wait)
		select {
		case received := <-s.stop:
			return 128 + int(received)
		case <-time.After(wait):
		}
		wait = min(2*wait, longestWait)
	}
}

// code returns the exit code for a child that a signal has killed, as shells do.
func code(status syscall.WaitStatus) int { return 128 + int(status.Signal()) }

func (s *supervisor) isStopping() bool {
	return s.hasPassed(syscall.SIGTERM) || s.hasPassed(syscall.SIGINT)
}

func (s *supervisor) hasPassed(signal syscall.Signal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passed[signal]
}

// runOnce starts the program and reaps whatever ends until it has.
func (s *supervisor) runOnce() (syscall.WaitStatus, error) {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	s.mu.Lock()
	child, err := syscall.ForkExec(self, os.Args, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
	})
	if err == nil {
		s.child = child
	}
	s.mu.Unlock()
	if err != nil {
		return syscall.WaitStatus(syscall.SIGKILL), err
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err != nil && err != syscall.EINTR {
			return status, err
		}
		if pid == child && (status.Exited() || status.Signaled()) {
			s.mu.Lock()
			s.child = 0
			s.mu.Unlock()
			return status, nil
		}
	}
}

// endLimit limits the wait for the kernel to end what a killed program has left behind.
const endLimit = 10 * time.Second

// endAll kills every process that the program has left behind, and waits until they have ended: this process adopts them all.
func endAll() {
	for deadline := time.Now().Add(endLimit); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		children := process.Children()
		if len(children) == 0 {
			return
		}
		for _, pid := range children {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}
