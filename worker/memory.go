package main

import (
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// What Go's collector tries to stay under in verbs that hold no more than a batch. Below that it runs seldom: a batch is garbage soon
// after it was leased, and collecting it at the default pace takes a quarter of the worker's time.
const (
	softMemory = 20 << 20
	slotMemory = 256 << 10 // more for each slot: the buffers of a program in stream mode
	memoryPace = 400       // percent of GOGC
)

// limitMemory sets the collector for a worker with so many slots. Go's own variables take precedence.
func limitMemory(slots int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit(containerMemory(os.DirFS("/sys/fs/cgroup")), slots))
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(memoryPace)
	}
}

// memoryLimit returns what the worker may use of the container's memory: a quarter, as the rest is for the commands. If that is less
// than it works well with, it may use up to half. Without a limit (0) the soft target counts.
func memoryLimit(container int64, slots int) int64 {
	soft := softMemory + int64(slots)*slotMemory
	if container == 0 {
		return soft
	}
	return max(container/4, min(container/2, soft))
}

// containerMemory returns the memory limit of the container whose control groups these are, 0 for none.
func containerMemory(groups fs.FS) int64 {
	for _, name := range []string{"memory.max", "memory/memory.limit_in_bytes"} { // of version 2 and 1
		text, _ := fs.ReadFile(groups, name)
		limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && limit < 1<<60 { // version 1 has a number for no limit
			return limit
		}
	}
	return 0
}
