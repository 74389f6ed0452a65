package process

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// markVariable is the environment variable by which processes are known to belong to an attempt, whatever their parent has become.
const markVariable = "WQ_PROCESS"

// ownMark begins the marks of this worker.
var ownMark = rand.Text()[:12] + "-"

// keeper adopts the processes that programs leave behind, and ends those whose attempt has ended. A process belongs to the attempt
// whose leader is its ancestor. One whose ancestors have ended belongs to the attempt that is known by the process's group, by the
// mark in its environment, or from an earlier look. One that has changed all of these may come from any leader that is older than
// itself, and is left alone until none of them runs. What is older than the first leader, or is in the worker's own group, comes from
// no attempt: an entrypoint may have started it before it became the worker.
type keeper struct {
	begin sync.Once
	wake  chan struct{}
	died  chan os.Signal // some child has ended
	// starting is held for reading while a leader starts, so that a look never finds a child that is not known yet.
	starting sync.RWMutex

	mu      sync.Mutex
	first   uint64 // start of the first leader
	trees   map[*tree]bool
	leaders map[int]*tree // by process ID, until the leader was waited for
	log     *slog.Logger

	// Only the keeper's goroutine uses this.
	strays map[ident]time.Time // processes of no attempt, by the time of their TERM
}

var keep = &keeper{wake: make(chan struct{}, 1), died: make(chan os.Signal, 1), trees: map[*tree]bool{}, leaders: map[int]*tree{}, strays: map[ident]time.Time{}}

// How often the keeper looks.
const (
	leisurely = time.Second
	quickly   = 2 * time.Millisecond // doubled while a tree is ended, up to a limit
	slowest   = 50 * time.Millisecond
)

// start starts a leader.
func (k *keeper) start(cmd *exec.Cmd, t *tree) error {
	k.begin.Do(func() {
		_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
		signal.Notify(k.died, syscall.SIGCHLD)
		go k.run()
	})
	k.starting.RLock()
	defer k.starting.RUnlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	t.leader = cmd.Process.Pid
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trees[t], k.leaders[t.leader], k.log = true, t, t.log
	if k.first == 0 {
		s, _ := readStat(t.leader)
		k.first = s.started
	}
	return nil
}

// forgetLeader is called when a leader has been waited for: its process ID may be used again.
func (k *keeper) forgetLeader(t *tree) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.leaders[t.leader] == t {
		delete(k.leaders, t.leader)
	}
}

func (k *keeper) remove(t *tree) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.trees, t)
}

// hasOrphans reports whether this process may have adopted some process. It is quick, and may report one too many.
func (k *keeper) hasOrphans() bool {
	children, ok := mainThreadsChildren()
	if !ok {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, pid := range children {
		if k.leaders[pid] == nil {
			return true
		}
	}
	return false
}

// reap reaps adopted processes that have ended.
func (k *keeper) reap() {
	if !k.hasOrphans() {
		return
	}
	k.starting.Lock()
	defer k.starting.Unlock()
	children, _ := mainThreadsChildren()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, pid := range children {
		if k.leaders[pid] == nil {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}

// hurry makes the keeper look at once.
func (k *keeper) hurry() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) run() {
	delay := leisurely
	next := time.NewTimer(delay)
	for {
		select {
		case <-k.wake:
			delay = quickly
		case <-k.died:
			k.reap()
			continue
		case <-next.C:
		}
		if !k.look(time.Now()) {
			delay = leisurely
		} else {
			delay = min(2*delay, slowest)
		}
		next.Reset(delay)
	}
}

// look reaps orphans that have ended and ends processes whose attempt has ended. It reports whether it must look again soon.
func (k *keeper) look(now time.Time) (soon bool) {
	var due []*tree
	k.mu.Lock()
	for t := range k.trees {
		if t.due(now) {
			due = append(due, t)
		} else {
			soon = soon || t.isEnding()
		}
	}
	k.mu.Unlock()
	if len(due) == 0 && !k.hasOrphans() {
		clear(k.strays)
		return soon
	}
	view := k.view()
	living := map[*tree]map[int]stat{}
	for pid, s := range view.stats {
		if t := view.owner(pid); t != nil && !s.ended {
			if living[t] == nil {
				living[t] = map[int]stat{}
			}
			living[t][pid] = s
		}
	}
	for _, t := range due {
		if t.step(now, living[t]) {
			k.remove(t)
		} else {
			soon = true
		}
	}
	return k.endStrays(now, view) || soon
}

func (t *tree) isEnding() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ending
}

// endStrays ends adopted processes that belong to no attempt. It reports whether there are any.
func (k *keeper) endStrays(now time.Time, v *view) bool {
	strays := map[ident]time.Time{}
	for pid, s := range v.stats {
		if s.parent != v.self || v.owner(pid) != nil || !v.isStray(s) {
			continue
		}
		id := s.ident()
		since, again := k.strays[id]
		switch {
		case !again:
			since = now
			k.log.Warn("ended a process that an earlier attempt left behind", "process", s.String())
			_ = syscall.Kill(pid, syscall.SIGTERM)
		case now.Sub(since) > DefaultKillAfter:
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		strays[id] = since
	}
	k.strays = strays
	return len(strays) > 0
}

// view is what the keeper sees in one look.
type view struct {
	self    int
	group   int    // the worker's own
	first   uint64 // start of the first leader
	stats   map[int]stat
	leaders map[int]*tree
	groups  map[int]*tree
	marks   map[string]*tree
	trees   []*tree
	owners  map[int]*tree
	oldest  uint64 // start of the oldest leader that runs, the largest number if none does
}

// view takes a look at all processes, and reaps orphans that have ended.
func (k *keeper) view() *view {
	k.starting.Lock()
	defer k.starting.Unlock()
	v := &view{self: os.Getpid(), group: unix.Getpgrp(), leaders: map[int]*tree{}, groups: map[int]*tree{}, marks: map[string]*tree{},
		owners: map[int]*tree{}, oldest: 1<<64 - 1}
	k.mu.Lock()
	defer k.mu.Unlock()
	v.first, v.stats = k.first, readStats()
	for t := range k.trees {
		v.trees = append(v.trees, t)
		v.marks[t.mark] = t
		if v.groups[t.leader] == nil || k.leaders[t.leader] == t {
			v.groups[t.leader] = t
		}
	}
	for pid, t := range k.leaders {
		v.leaders[pid] = t
		if s, ok := v.stats[pid]; ok && !s.ended {
			v.oldest = min(v.oldest, s.started)
		}
	}
	for pid, s := range v.stats {
		if s.parent == v.self && s.ended && v.leaders[pid] == nil {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
			delete(v.stats, pid)
		}
	}
	return v
}

// owner returns the tree to which a process belongs, nil if it is unknown or not of this worker.
func (v *view) owner(pid int) *tree {
	if t, known := v.owners[pid]; known {
		return t
	}
	v.owners[pid] = nil // ends a circle, which there is none in one instant
	s, exists := v.stats[pid]
	switch {
	case !exists:
	case v.leaders[pid] != nil:
		v.owners[pid] = v.leaders[pid]
	case s.parent == v.self:
		v.owners[pid] = v.adopted(s)
	default:
		v.owners[pid] = v.owner(s.parent)
	}
	return v.owners[pid]
}

// adopted returns the tree of a process whose parent has ended.
func (v *view) adopted(s stat) *tree {
	if t := v.groups[s.group]; t != nil {
		return t
	}
	if t := v.marks[markOf(s.pid)]; t != nil {
		return t
	}
	for _, t := range v.trees {
		if t.found[s.ident()] {
			return t
		}
	}
	return nil
}

// isStray reports whether an adopted process without an owner cannot have come from an attempt that runs.
func (v *view) isStray(s stat) bool {
	if strings.HasPrefix(markOf(s.pid), ownMark) {
		return true
	}
	return s.group != v.group && v.first <= s.started && s.started < v.oldest
}

// markOf returns the mark in a process's environment, "" if it has none or may not be read.
func markOf(pid int) string {
	environment, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	for assignment := range bytes.SplitSeq(environment, []byte{0}) {
		if value, ok := bytes.CutPrefix(assignment, []byte(markVariable+"=")); ok {
			return string(value)
		}
	}
	return ""
}
