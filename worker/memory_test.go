package main

import (
	"testing"
	"testing/fstest"
)

func TestContainerMemory(t *testing.T) {
	const v1, v2 = "memory/memory.limit_in_bytes", "memory.max"
	for name, test := range map[string]struct {
		file, text string
		want       int64
	}{
		"version 2":                  {v2, "134217728\n", 128 << 20},
		"version 2, no limit":        {v2, "max\n", 0},
		"version 1":                  {v1, "134217728\n", 128 << 20},
		"version 1, no limit":        {v1, "9223372036854771712\n", 0},
		"no memory controller":       {"cpu.max", "max 100000\n", 0},
		"something else than a size": {v2, "", 0},
	} {
		if got := containerMemory(fstest.MapFS{test.file: {Data: []byte(test.text)}}); got != test.want {
			t.Errorf("%s: %d, not %d", name, got, test.want)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		container int64
		slots     int
		want      int64
	}{
		{0, 0, 20 * mib}, {0, 64, 36 * mib}, {1024 * mib, 1, 256 * mib}, {64 * mib, 0, 20 * mib}, {32 * mib, 0, 16 * mib}, {64 * mib, 64, 32 * mib},
	} {
		if got := memoryLimit(test.container, test.slots); got != test.want {
			t.Errorf("container %d MiB, %d slots: %d MiB, not %d", test.container/mib, test.slots, got/mib, test.want/mib)
		}
	}
}
