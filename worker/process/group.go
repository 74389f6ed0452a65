package process

import (
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// group ends the process group of a leader.
type group struct {
	killAfter time.Duration

	mu   sync.Mutex
	kill *time.Timer // nil before TERM
}

// terminate sends TERM to the group, and KILL after killAfter. Only the first call counts.
func (g *group) terminate(leader int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.kill == nil {
		_ = syscall.Kill(-leader, syscall.SIGTERM)
		g.kill = time.AfterFunc(g.killAfter, func() { _ = syscall.Kill(-leader, syscall.SIGKILL) })
	}
}

// clear sends KILL to a group that was terminated and whose leader has ended: processes that the leader started may still run.
func (g *group) clear(leader int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.kill != nil && g.kill.Stop() {
		_ = syscall.Kill(-leader, syscall.SIGKILL)
	}
}

// hasEnded reports whether a child has ended, whether or not it was waited for.
func hasEnded(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != nil || info.Signo != 0
}
