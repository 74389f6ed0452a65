package process

import (
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// settleDelay is how long the processes that a program leaves behind have to end by themselves, as the last one of a pipeline does.
	settleDelay = 200 * time.Millisecond
	// killDelay is how long the kernel may take to end a process after KILL before the worker goes on without that.
	killDelay = 5 * time.Second
	// maxNames is the largest number of processes that a log line names.
	maxNames = 10
)

// tree is a process that leads an attempt, and every process that has come down from it, whatever its group or session.
type tree struct {
	killAfter time.Duration
	origin    Origin
	log       *slog.Logger
	mark      string        // the value of markVariable in the environment of these processes
	leader    int           // the process's ID
	gone      chan struct{} // closed when the tree was ended and no process of it is left

	mu          sync.Mutex
	leaderEnded bool
	cutOff      bool // it was told to end before its leader had ended
	ending      bool
	termAt      time.Time // TERM is not sent before
	killAt      time.Time // KILL is not sent before

	// Only the keeper uses these.
	sent      map[ident]bool // processes that were sent TERM
	found     map[ident]bool // processes that were seen in the tree
	leftovers []string       // in words, for the log
}

// ident identifies a process: its ID may be used again.
type ident struct {
	pid     int
	started uint64
}

var trees atomic.Int64

func newTree(p *Process) *tree {
	log := p.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &tree{killAfter: p.killAfter(), origin: p.Origin, log: log, mark: ownMark + strconv.FormatInt(trees.Add(1), 10),
		gone: make(chan struct{}), sent: map[ident]bool{}, found: map[ident]bool{}}
}

// start starts the leader. The process must not be waited for before leave or awaitLeader has returned.
func (t *tree) start(cmd *exec.Cmd) error {
	cmd.Env = append(cmd.Env, markVariable+"="+t.mark)
	err := keep.start(cmd, t)
	if err == nil && startedCount.Load() < maxStarted {
		if _, again := started.LoadOrStore(cmd.Args[0], nil); !again {
			startedCount.Add(1)
		}
	}
	return err
}

// started has the programs that have started: the first ones, since each item may name another.
var (
	started      sync.Map
	startedCount atomic.Int64
)

const maxStarted = 1000

// HasStarted reports whether a program has been started, by the name that it has in Args. It knows a thousand of them.
func HasStarted(program string) bool {
	_, has := started.Load(program)
	return has
}

// terminate sends TERM to the tree, and KILL after killAfter. Only the first call counts, and none after the leader has ended.
func (t *tree) terminate() {
	t.mu.Lock()
	if t.ending || t.leaderEnded || hasEnded(t.leader) {
		t.mu.Unlock()
		return
	}
	t.cutOff = true
	t.end(0)
	t.mu.Unlock()
	keep.hurry()
}

// end makes the keeper end the tree after a delay. The caller holds the lock.
func (t *tree) end(delay time.Duration) {
	t.ending = true
	t.termAt = time.Now().Add(delay)
	t.killAt = t.termAt.Add(t.killAfter)
}

// awaitLeader waits until the leader has ended, and if it was told to end, until the whole tree has. It reports whether it was told to.
func (t *tree) awaitLeader() (cutOff bool) {
	var info unix.Siginfo
	for unix.Waitid(unix.P_PID, t.leader, &info, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	t.mu.Lock()
	t.leaderEnded = true
	t.mu.Unlock()
	if t.cutOff {
		<-t.gone
	}
	return t.cutOff
}

// leave ends what the leader has left behind, without waiting for that. The leader has been waited for.
func (t *tree) leave() {
	keep.forgetLeader(t)
	switch {
	case t.cutOff:
	case keep.hasOrphans():
		t.mu.Lock()
		t.end(settleDelay)
		t.mu.Unlock()
		keep.hurry()
	default:
		keep.remove(t)
	}
}

// due reports whether the tree is to be ended now.
func (t *tree) due(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ending && !now.Before(t.termAt)
}

// step sends signals to the living processes of a tree that is being ended. It reports whether the tree needs no further step.
func (t *tree) step(now time.Time, living map[int]stat) (gone bool) {
	if len(living) == 0 || now.After(t.killAt.Add(killDelay)) {
		t.report(len(living))
		close(t.gone)
		return true
	}
	if !now.Before(t.killAt) {
		for _, s := range living {
			t.signal(s, syscall.SIGKILL)
		}
		return false
	}
	var told []stat
	for _, s := range living {
		t.found[s.ident()] = true
		// Programs such as timeout(1) have a group of their own and pass signals on to it. So outside of the leader's group only those
		// processes get TERM that have none above them to pass it on. What a process starts after its own TERM is how it tidies up, and
		// ends with it.
		parent, below := living[s.parent]
		if (s.group == t.leader || !below || parent.group == t.leader) && !t.toldAbove(s, living) {
			told = append(told, s)
		}
	}
	for _, s := range told {
		t.signal(s, syscall.SIGTERM)
	}
	return false
}

// toldAbove reports whether a living process above this one has had TERM.
func (t *tree) toldAbove(s stat, living map[int]stat) bool {
	for parent, lives := living[s.parent]; lives; parent, lives = living[parent.parent] {
		if t.sent[parent.ident()] {
			return true
		}
	}
	return false
}

func (s stat) ident() ident { return ident{s.pid, s.started} }

// signal sends TERM to a process once, or KILL.
func (t *tree) signal(s stat, signal syscall.Signal) {
	if signal == syscall.SIGTERM && t.sent[s.ident()] {
		return
	}
	if !t.sent[s.ident()] && (!t.cutOff || s.group != t.leader) {
		t.leftovers = append(t.leftovers, s.String())
	}
	t.sent[s.ident()] = true
	_ = syscall.Kill(s.pid, signal)
}

func (s stat) String() string { return fmt.Sprintf("%s (%d)", s.name, s.pid) }

// report writes the log line about processes that the leader left behind, if there were any.
func (t *tree) report(unended int) {
	if len(t.leftovers) == 0 {
		return
	}
	slices.Sort(t.leftovers)
	facts := []any{"item", t.origin.Label, "processes", len(t.leftovers), "names", t.leftovers[:min(len(t.leftovers), maxNames)]}
	if t.origin.ID != "" {
		facts = append([]any{"item_id", t.origin.ID, "attempt", t.origin.Attempt}, facts...)
	}
	if unended > 0 {
		t.log.Error("processes that an attempt left behind do not end", append(facts, "unended", unended)...)
		return
	}
	t.log.Warn("ended the processes that an attempt left behind", facts...)
}

// hasEnded reports whether a child has ended, whether or not it was waited for.
func hasEnded(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != nil || info.Signo != 0
}
