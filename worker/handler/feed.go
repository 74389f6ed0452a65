package handler

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/workqueue/workqueue/worker/pace"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
)

const (
	portionWork   = 50 * time.Millisecond  // that the items of a portion are likely to take
	portionGrowth = 8                      // how much larger than the last portion the next may be
	holdLimit     = 500 * time.Millisecond // of work that a program may still be given while a slot is idle
	pipeSize      = 64 << 10
)

// feed gives a program its items by portions. What the program has not read yet can go back to the queue.
//
// The pipe is so small that it has room only when the program has read all that is in it; the next portion is due then. So there is
// always one before the program, and it never waits for its next item. A program that reads all of its items before it begins
// gets them all within a few milliseconds: it has read each portion at once, which makes the next ones larger.
type feed struct {
	items     []queue.Item
	positions []int // in items
	delimiter byte
	paces     *paces
	stdin     *os.File // the program's end of the pipe
	write     *process.Input
	ended     chan struct{} // closed when no more is written
	started   time.Time

	mu      sync.Mutex
	given   int           // how many of the positions the program has been given
	kept    int           // how many it may be given; the others went back to the queue
	seen    int           // how many items the program is known to have read
	seenEnd int           // size of these
	written int           // size of the portion that is in the pipe, as a whole; 0 while it is being written
	portion int           // size of the portion that the program works on
	taken   time.Time     // when it took this portion
	perItem time.Duration // as this program was measured, 0 before it has come back for a second portion
}

// newFeed returns the feed of a program that is about to start.
func newFeed(items []queue.Item, positions []int, delimiter byte, paces *paces) (*feed, error) {
	f := &feed{items: items, positions: positions, delimiter: delimiter, paces: paces, kept: len(positions), portion: 1,
		ended: make(chan struct{}), started: time.Now()}
	f.taken = f.started
	var err error
	if f.stdin, f.write, err = process.NewInput(); err == nil {
		setPipeSize(f.stdin, os.Getpagesize()) // without that, the program gets its items sooner than need be
		first, last := f.give(f.paces.firstPortion())
		go f.run(first, last)
	}
	return f, err
}

// setPipeSize is best effort: a user may have a limited number of pages in pipes.
func setPipeSize(pipe *os.File, size int) {
	if conn, err := pipe.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, size) })
	}
}

// run writes until the program has been given all that is kept, or f is closed.
func (f *feed) run(positions []int, last bool) {
	defer close(f.ended)
	defer f.write.Close()
	lines := bufio.NewWriterSize(f.write, 4<<10)
	for ; ; positions, last = f.give(f.nextPortion()) {
		if last {
			setPipeSize(f.stdin, pipeSize)
		}
		for _, i := range positions {
			_, _ = lines.WriteString(f.items[i].Payload)
			_ = lines.WriteByte(f.delimiter)
		}
		if lines.Flush() != nil {
			return
		}
		f.wrote(len(positions))
		if last || f.write.AwaitRead() != nil {
			return
		}
		f.took(len(positions), time.Now())
	}
}

// give takes the next positions for the program, and reports whether they are the last ones.
func (f *feed) give(size int) (positions []int, last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size = min(size, f.kept-f.given)
	f.given += size
	f.written = 0
	return f.positions[f.given-size : f.given], f.given == f.kept
}

func (f *feed) wrote(size int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written = size
}

// took notes that the program has taken a portion, so that it has ended the one before.
func (f *feed) took(portion int, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.taken != f.started {
		if f.perItem == 0 {
			f.paces.noteStart(now.Sub(f.started))
		}
		f.perItem = pace.After(f.perItem, f.portion, now.Sub(f.taken))
	}
	f.portion, f.taken = portion, now
}

// nextPortion returns how many items the program should be given next.
func (f *feed) nextPortion() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.perItem == 0 {
		return f.paces.firstPortion()
	}
	return max(1, min(int(portionWork/f.perItem), portionGrowth*f.portion))
}

// excess returns how many items should go back to the queue if a slot is idle: those that the program is unlikely to end
// within holdLimit at its pace. Stalled says that it has been at its present portion for longer than that, so that it should keep none that it
// has not read. The start of a program is no reason as long as it takes no longer than others did.
func (f *feed) excess(now time.Time) (items int, stalled bool) {
	keep, busy := f.kept-f.given, now.Sub(f.taken)
	if f.perItem == 0 {
		busy = now.Sub(f.started) - 2*f.paces.start()
	} else {
		keep = min(keep, int(holdLimit/f.perItem))
	}
	if busy > holdLimit {
		keep, stalled = 0, f.taken != f.started // a program that has not read its first item yet keeps it
	}
	return f.kept - f.given - keep, stalled
}

// hasExcess reports whether there is something to recall.
func (f *feed) hasExcess(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	items, stalled := f.excess(now)
	if items > 0 || !stalled {
		return items > 0
	}
	return f.written > 0 && process.Unread(f.stdin) >= f.size(f.given-1)
}

// size returns how many bytes the item at an index of the positions has in the pipe.
func (f *feed) size(index int) int { return len(f.items[f.positions[index]].Payload) + 1 }

// recall takes the excess from the program. It returns from where on, and up to where, the positions are those of the excess.
func (f *feed) recall(now time.Time) (from, to int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	items, stalled := f.excess(now)
	to = f.kept
	f.kept -= items
	if stalled {
		f.takeBack()
	}
	return f.kept, to
}

// takeBack reads the items that are in the pipe, so that the program no longer can. It puts back the rest of one that the program has
// begun to read. A portion that is still being written stays: what is put back would come after the rest of it.
func (f *feed) takeBack() {
	if f.written == 0 {
		return
	}
	conn, err := f.stdin.SyscallConn()
	if err != nil {
		return
	}
	pipe := -1
	_ = conn.Control(func(fd uintptr) {
		// Opened anew, the pipe can be read without waiting, while the program's own end still waits. It is also a writer: the
		// program does not see the end of its input meanwhile.
		pipe, err = unix.Open(fmt.Sprint("/proc/self/fd/", fd), unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil || pipe < 0 {
		return
	}
	defer unix.Close(pipe)
	unread := make([]byte, pipeSize)
	n, _ := unix.Read(pipe, unread)
	for ; f.written > 0; f.written-- {
		size := f.size(f.given - 1)
		if size > n {
			break
		}
		n -= size
		f.write.TakeBack(size)
		f.given--
		f.kept--
	}
	if n > 0 {
		_, _ = unix.Write(pipe, unread[:n])
	}
}

// close ends the feed of a program that has ended. It returns how many items the program has read, and how many were kept for it.
func (f *feed) close() (read, kept int) {
	_ = f.write.Close()
	<-f.ended
	f.mu.Lock()
	defer f.mu.Unlock()
	read = f.countRead()
	_ = f.stdin.Close()
	return read, f.kept
}

// read returns how many items the program has read.
func (f *feed) read() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.countRead()
}

func (f *feed) countRead() int {
	for bytes := f.write.Written() - process.Unread(f.stdin); f.seen < f.given && f.seenEnd+f.size(f.seen) <= bytes; f.seen++ {
		f.seenEnd += f.size(f.seen)
	}
	return f.seen
}

// paces are what the programs of a command have shown so far.
type paces struct {
	mu       sync.Mutex
	perItem  time.Duration // of whole programs, their start included
	earliest time.Duration // from the start of a program to the end of its first portion
}

// firstPortion returns how many items a program should be given before it is measured.
func (p *paces) firstPortion() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.perItem == 0 {
		return 1
	}
	return max(1, int(portionWork/p.perItem))
}

func (p *paces) start() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.earliest
}

func (p *paces) noteStart(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.earliest == 0 || took < p.earliest {
		p.earliest = took
	}
}

func (p *paces) noteEnd(items int, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.perItem = pace.After(p.perItem, items, took)
}
