package process

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// stat is a process as /proc shows it.
type stat struct {
	pid, parent, group int
	started            uint64 // in clock ticks since the machine's start
	ended              bool   // only its exit status is left
	name               string
}

// readStats returns all processes that can be seen, by their ID.
func readStats() map[int]stat {
	folder, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer folder.Close()
	names, _ := folder.Readdirnames(-1)
	stats := make(map[int]stat, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if s, ok := readStat(pid); ok {
				stats[pid] = s
			}
		}
	}
	return stats
}

func readStat(pid int) (s stat, ok bool) {
	raw, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return parseStat(pid, string(raw))
}

// parseStat reads the text of /proc/PID/stat. The name is in parentheses, and may itself hold any character.
func parseStat(pid int, text string) (s stat, ok bool) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return s, false
	}
	const state, parent, group, threads, started = 0, 1, 2, 17, 19 // fields after the name
	fields := strings.Fields(text[end+1:])
	if len(fields) <= started {
		return s, false
	}
	s = stat{pid: pid, name: text[open+1 : end]}
	s.parent, _ = strconv.Atoi(fields[parent])
	s.group, _ = strconv.Atoi(fields[group])
	s.started, _ = strconv.ParseUint(fields[started], 10, 64)
	// A first thread may have ended while others of its process run.
	s.ended = fields[state] == "X" || fields[state] == "Z" && fields[threads] == "1"
	return s, true
}

// Children returns the processes that are children of this one, whether or not they have ended.
func Children() (pids []int) {
	self := os.Getpid()
	for pid, s := range readStats() {
		if s.parent == self {
			pids = append(pids, pid)
		}
	}
	return pids
}

// mainThreadsChildren returns the children of this process's first thread. All orphans that it adopts are among them. The result is
// false where the kernel has no such list.
func mainThreadsChildren() (pids []int, ok bool) {
	self := strconv.Itoa(os.Getpid())
	list, err := os.ReadFile("/proc/" + self + "/task/" + self + "/children")
	if err != nil {
		return nil, false
	}
	for field := range bytes.FieldsSeq(list) {
		if pid, err := strconv.Atoi(string(field)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, true
}
