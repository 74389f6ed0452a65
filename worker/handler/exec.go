package handler

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/workqueue/workqueue/worker/fields"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
)

// maxArgument is the longest argument or variable in bytes: the kernel's MAX_ARG_STRLEN without the NUL.
const maxArgument = 128<<10 - 1

// Exec runs a command once per item. Arguments may have placeholders for parts of the item, see package fields.
type Exec struct {
	Command
	Stdin       bool // the item is on standard input, and not an argument that is appended
	ResultBytes int  // bytes of a result that are kept
	Results     bool // standard output is the result, unless the program says another

	slots slots
}

// MaxItems implements Handler.
func (*Exec) MaxItems() int { return 1 }

// Handle implements Handler.
func (e *Exec) Handle(ctx context.Context, items []queue.Item, report func(int, Attempt)) {
	for i, item := range items {
		report(i, e.one(ctx, item))
	}
}

func (e *Exec) one(ctx context.Context, item queue.Item) Attempt {
	args, err := e.Arguments(item)
	if err != nil {
		return Attempt{Outcome: queue.OutcomeDead, Reason: err.Error()}
	}
	var env []string
	var stdin io.Reader // at its end
	if e.Stdin {
		env = identity(item)
		text, err := process.Text(item.Payload)
		if err != nil {
			return Unstarted(e.Args[0], err)
		}
		defer text.Close()
		stdin = text
	} else if env, err = Variables(item); err != nil {
		return Attempt{Outcome: queue.OutcomeDead, Reason: err.Error()}
	}
	slot, slotVariable := e.slots.enter()
	defer e.slots.leave(slot)
	run, end := context.WithCancel(ctx)
	defer end()
	var said *Attempt
	reports := reports{items: 1, end: end, resultBytes: e.ResultBytes,
		read:   func() int { return 1 },
		settle: func(_ int, attempt Attempt) { said = &attempt },
	}
	result := &process.Head{}
	if e.Results {
		result.Limit = e.ResultBytes
	}
	tail := &process.Tail{}
	attempt := e.runProcess(run, origin(item), tail, process.Process{
		Args:     args,
		Env:      append(env, slotVariable),
		Stdin:    stdin,
		Stdout:   result,
		Timeout:  e.Timeout,
		Messages: reports.readFrom,
	})
	switch {
	case said != nil:
		said.Started, said.Duration, said.ExitCode = attempt.Started, attempt.Duration, attempt.ExitCode
		attempt = *said
	case reports.broken != nil && ctx.Err() == nil:
		attempt.Outcome, attempt.Reason = queue.OutcomeFailed, reports.broken.Error()
	case attempt.Outcome == queue.OutcomeDone:
		attempt.Push = reports.pushed[1]
	}
	switch {
	case attempt.Outcome != queue.OutcomeDone:
		attempt.Output, attempt.Truncated = tail.Lines()
	case e.Results && !attempt.Result:
		attempt.Result = true
		attempt.Output, attempt.Truncated = result.Text()
	}
	return attempt
}

// Arguments returns the command for an item. Without a placeholder the item is appended, unless it is on standard input. The error is for
// an item that cannot be an argument.
func (e *Exec) Arguments(item queue.Item) ([]string, error) {
	command := fields.Command(e.Args)
	args, err := command.Fill(item.ID, item.Payload)
	if err != nil {
		return nil, err
	}
	if command.Placeholder() == "" && !e.Stdin {
		args = append(args, item.Payload)
	}
	for _, arg := range args {
		if !isArgument(arg) {
			return nil, undeliverable("be an argument of a command")
		}
	}
	return args, nil
}

func isArgument(s string) bool { return len(s) <= maxArgument && !strings.Contains(s, "\x00") }

// undeliverable is the error for an item that does not fit through its door.
func undeliverable(door string) error {
	return fmt.Errorf("the item cannot %s (it holds a NUL byte or more than %d bytes): "+
		"set WQ_INPUT=stdin, leave {} out of the command and read the item from standard input", door, maxArgument)
}

// identity returns the environment variables about an attempt.
func identity(item queue.Item) []string {
	return []string{"WQ_ITEM_ID=" + item.ID, "WQ_ATTEMPT=" + strconv.Itoa(item.Attempts+1)}
}

// Variables returns the environment variables about an item and its fields. The error is for an item of which one cannot be a variable.
func Variables(item queue.Item) ([]string, error) {
	env := append(identity(item), "WQ_ITEM="+item.Payload)
	if object, ok := fields.Parse(item.Payload); ok {
		env = append(env, object.Variables(process.HasVariable)...)
	}
	for _, one := range env {
		if !isArgument(one) {
			name, _, _ := strings.Cut(one, "=")
			return nil, undeliverable("be in the variable " + name)
		}
	}
	return env, nil
}
