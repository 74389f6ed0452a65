package main

import (
	"log"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	disturbance = 0.2 // cores that others may use during a round
	mostTries   = 3   // of a round that is disturbed
	tick        = 10 * time.Millisecond
)

// quietly runs a round. If other programs disturb it, undo forgets its figures, and it runs again.
func (s *server) quietly(round func() error, undo func()) error {
	for try := 1; ; try++ {
		stop := s.watch()
		err := round()
		others := stop()
		if err != nil || others <= disturbance || try == mostTries {
			return err
		}
		log.Printf("  repeated: other programs used %.1f cores", others)
		s.repeated++
		undo()
	}
}

// watch returns a function that returns how many cores other programs used since then.
func (s *server) watch() (stop func() float64) {
	began, all, own := time.Now(), allTime(), s.ownTime()
	return func() float64 {
		return max(0, (allTime()-all-(s.ownTime()-own)).Seconds()/time.Since(began).Seconds())
	}
}

// allTime is the processor time of the whole machine.
func allTime() (sum time.Duration) {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line) {
		if i == 4 || i == 5 || i > 8 { // idle, waiting for disks, counted twice
			continue
		}
		n, _ := strconv.Atoi(field)
		sum += time.Duration(n) * tick
	}
	return sum
}

// ownTime is the processor time of this program, of those that it has waited for, and of Redis.
func (s *server) ownTime() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		_ = syscall.Getrusage(who, &usage)
		sum += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/stat")
	_, after, _ := strings.Cut(string(text), ") ")
	if fields := strings.Fields(after); len(fields) > 12 {
		for _, field := range fields[11:13] {
			n, _ := strconv.Atoi(field)
			sum += time.Duration(n) * tick
		}
	}
	return sum
}
