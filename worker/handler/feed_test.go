package handler

import (
	"io"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

// TestRecallFromPipe recalls items that are in the pipe while the program has read a part of one. It keeps this one.
func TestRecallFromPipe(t *testing.T) {
	items := []queue.Item{{Payload: "a"}, {Payload: "bb"}, {Payload: "ccc"}, {Payload: "dd"}}
	f, err := newFeed(items, []int{0, 1, 2, 3}, '\n', &paces{perItem: portionWork / 2}) // portions of two items
	if err != nil {
		t.Fatal(err)
	}
	read := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(f.stdin, got); err != nil || string(got) != want {
			t.Errorf("read %q, %v, want %q", got, err, want)
		}
	}
	read("a\nbb\n")
	<-f.ended // the other portion is in the pipe
	read("c")
	stalled := time.Now().Add(time.Hour)
	if !f.hasExcess(stalled) {
		t.Error("there is nothing to recall")
	}
	if from, to := f.recall(stalled); from != 3 || to != 4 {
		t.Errorf("recalled %d to %d", from, to)
	}
	if f.hasExcess(stalled) {
		t.Error("there is something left to recall")
	}
	read("cc\n")
	if rest, err := io.ReadAll(f.stdin); len(rest) > 0 || err != nil {
		t.Errorf("the program gets %q, %v", rest, err)
	}
	if read, kept := f.close(); read != 3 || kept != 3 {
		t.Errorf("the program has read %d of %d items", read, kept)
	}
}
