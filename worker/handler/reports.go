package handler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/message"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// maxReason limits what is kept of a reason, in bytes.
const maxReason = 4 << 10

// reports takes the messages of a process about its items, which it knows by their numbers from 1.
type reports struct {
	items  int
	read   func() int                        // how many items the process has read
	settle func(number int, attempt Attempt) // for each item once
	end    context.CancelFunc                // ends the process

	resultBytes int
	pushed      map[int][]string // by number, of items that are not settled
	settled     map[int]bool

	said   bool  // there was a message
	held   bool  // there was none, and another process holds the descriptor, though the process has ended
	broken error // why the contract is broken, nil if it is not
}

// readFrom reads all messages. It ends the process if one breaks the contract.
func (r *reports) readFrom(descriptor io.Reader) {
	r.pushed, r.settled = map[int][]string{}, map[int]bool{}
	err := message.Read(descriptor, r.accept)
	switch {
	case errors.Is(err, io.EOF):
	case process.IsHeld(err):
		r.held = !r.said && !isReleased(descriptor)
	default:
		r.said, r.broken = true, err
		r.end()
	}
}

// isReleased reports whether nothing more comes from a descriptor that was held when its process ended. A process that was started without it
// holds it for an instant.
func isReleased(descriptor io.Reader) bool {
	for range 20 {
		n, err := descriptor.Read(make([]byte, 1))
		if n > 0 || errors.Is(err, io.EOF) {
			return n == 0
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// accept implements the contract for one message.
func (r *reports) accept(m message.Message) error {
	r.said = true
	if m.ID == "" {
		return nil
	}
	number, err := strconv.Atoi(m.ID)
	switch {
	case err != nil || strconv.Itoa(number) != m.ID || number < 1 || number > r.items:
		return fmt.Errorf("%q is no item of this process: they are numbered from 1 to %d", text.Shorten(m.ID, 40), r.items)
	case r.settled[number]:
		return fmt.Errorf("item %d was settled before", number)
	case number > r.read():
		return fmt.Errorf("the program has not read item %d yet", number)
	}
	r.pushed[number] = AddPush(r.pushed[number], m.Push)
	if m.Settles() {
		r.settled[number] = true
		r.settle(number, NewAttempt(m, r.pushed[number], r.resultBytes))
		delete(r.pushed, number)
	}
	return nil
}

// AddPush adds to what an item has pushed. It adds nothing more to what is more than an item can push.
func AddPush(pushed, more []string) []string {
	if len(pushed) > queue.MaxPush {
		return pushed
	}
	bytes := 0
	for _, payload := range pushed {
		bytes += len(payload)
	}
	for _, payload := range more {
		if bytes > queue.MaxPushBytes {
			break
		}
		bytes += len(payload)
		pushed = append(pushed, payload)
	}
	return pushed
}

// NewAttempt returns the attempt that a message ends. It has the items that were pushed if it is done, and at most resultBytes of a result.
func NewAttempt(m message.Message, pushed []string, resultBytes int) Attempt {
	if m.Word != message.Done {
		reason := strings.TrimSpace(text.Shorten(m.Reason, maxReason))
		if reason == "" {
			reason = "reported by the program"
		}
		return Attempt{Outcome: queue.Outcome(m.Word), Reason: reason}
	}
	a := Attempt{Outcome: queue.OutcomeDone, Push: pushed}
	if m.Result != nil {
		kept := text.Head(*m.Result, resultBytes)
		a.Result, a.Output, a.Truncated = true, strings.Clone(kept), len(kept) < len(*m.Result)
	}
	return a
}
