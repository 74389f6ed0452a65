package redistest

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// clockShim is put under a redis-server by LD_PRELOAD. A file holds two numbers of µs: the first is added to the time that Redis reads, and
// unless the second is 0, it is that time.
const clockShim = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
  static volatile long long *offset;
  if (!offset) {
    int file = open(getenv("CLOCK_OFFSET"), O_RDONLY);
    offset = mmap(0, 2 * sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
  }
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  long long us = (offset[1] ? offset[1] : now.tv_sec * 1000000LL + now.tv_nsec / 1000) + offset[0];
  tv->tv_sec = us / 1000000;
  tv->tv_usec = us % 1000000;
  return 0;
}
`

// StepClock sets the clock of a server that StartWithClock has started, so far from the machine's.
func (s *Server) StepClock(offset time.Duration) {
	s.tb.Helper()
	s.setClock(0, offset.Microseconds())
}

// StopClock lets the clock of such a server stand still between two calls of StepClock, however busy the machine is.
func (s *Server) StopClock() {
	s.tb.Helper()
	s.setClock(1, time.Now().UnixMicro())
}

func (s *Server) setClock(number, µs int64) {
	s.tb.Helper()
	file, err := os.OpenFile(s.clock, os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(µs)), 8*number)
		_ = file.Close()
	}
	if err != nil {
		s.tb.Fatal(err)
	}
}

// StartWithClock is Start for a server whose clock StepClock sets. The test is skipped if the machine has no C compiler.
func StartWithClock(tb testing.TB, args ...string) *Server {
	tb.Helper()
	dir := tb.TempDir()
	source, shim, clock := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so"), filepath.Join(dir, "offset")
	for path, content := range map[string][]byte{source: []byte(clockShim), clock: make([]byte, 16)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	if _, err := exec.LookPath("cc"); err != nil {
		tb.Skip("no C compiler, to give a redis-server another clock")
	}
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", shim, source).CombinedOutput(); err != nil {
		tb.Fatalf("cc: %v\n%s", err, out)
	}
	s := newServer(tb, FreeAddr(tb), nil)
	s.clock = clock
	s.env = []string{"LD_PRELOAD=" + shim, "CLOCK_OFFSET=" + clock}
	s.args = append(append(s.args, "--save", "", "--appendonly", "no"), args...)
	s.Restart()
	tb.Cleanup(s.Kill)
	return s
}
