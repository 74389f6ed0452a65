package handler

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/workqueue/workqueue/worker/fields"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
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
	args, env, err := e.Deliver(item)
	if err != nil {
		return Attempt{Outcome: queue.OutcomeDead, Reason: err.Error()}
	}
	var stdin io.Reader // at its end
	if e.Stdin {
		input, err := process.Text(item.Payload)
		if err != nil {
			return Unstarted(e.Args[0], err)
		}
		defer input.Close()
		stdin = input
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

// Deliver returns the arguments and the environment variables with which the command gets an item. The error is for an item that they cannot bring
// whole.
func (e *Exec) Deliver(item queue.Item) (args, env []string, err error) {
	if args, err = e.arguments(item); err != nil {
		return nil, nil, err
	}
	env, err = e.variables(item)
	return args, env, err
}

// arguments returns the command for an item. Without a placeholder the item is appended, unless it is on standard input.
func (e *Exec) arguments(item queue.Item) ([]string, error) {
	command := fields.Command(e.Args)
	args, err := command.Fill(item.ID, item.Payload)
	if err != nil {
		return nil, err
	}
	if command.Placeholder() == "" && !e.Stdin {
		command, args = append(slices.Clip(command), "{}"), append(args, item.Payload)
	}
	for i, arg := range args {
		if err := checkArgument(arg, "the argument "+text.Shorten(command[i], 80)); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// variables returns the environment variables about an item and its fields.
func (e *Exec) variables(item queue.Item) ([]string, error) {
	env := []string{"WQ_ITEM_ID=" + item.ID, "WQ_ATTEMPT=" + strconv.Itoa(item.Attempts+1)}
	if e.Stdin {
		return env, nil
	}
	env = append(env, "WQ_ITEM="+item.Payload)
	if err := checkArgument(env[len(env)-1], "the item in the variable WQ_ITEM"); err != nil {
		return nil, err
	}
	object, err := fields.Parse(item.Payload)
	if err != nil {
		return nil, err
	}
	all, err := object.Variables()
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		env = append(env, v.Name+"="+v.Text)
		if err := checkArgument(env[len(env)-1], "the item's field "+v.Field+" in the variable "+v.Name); err != nil {
			return nil, err
		}
	}
	return env, nil
}

// checkArgument returns an error for what can be no argument and no variable.
func checkArgument(s, what string) error {
	wrong := ""
	switch {
	case strings.Contains(s, "\x00"):
		wrong = "has a NUL byte, which ends an argument or a variable"
	case len(s) > maxArgument:
		wrong = fmt.Sprintf("has %d bytes, and an argument or a variable can have %d", len(s), maxArgument)
	default:
		return nil
	}
	return fmt.Errorf("%s %s: %s", what, wrong, readStdin)
}

// readStdin is the way out for an item that cannot be delivered otherwise.
const readStdin = "set WQ_INPUT=stdin, leave it out of the command, and read the item from standard input"
