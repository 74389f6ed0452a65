package handler

import (
	"context"
	"fmt"
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
	ResultBytes int     // bytes of standard output that are kept as the item's result, 0 for none
	Pushes      *Pushes // where programs push items, nil for nowhere

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
	stdin, err := process.Input(item.Payload)
	if err != nil {
		return Unstarted(e.Args[0], err)
	}
	defer stdin.Close()
	slot, slotVariable := e.slots.enter()
	defer e.slots.leave(slot)
	env := append(Variables(item), slotVariable)
	pushes := ""
	if e.Pushes != nil {
		var variable string
		pushes, variable = e.Pushes.next()
		env = append(env, variable)
	}
	result := &process.Head{Limit: e.ResultBytes}
	attempt := e.runProcess(ctx, origin(item), &process.Tail{}, process.Process{
		Args:    args,
		Env:     env,
		Stdin:   stdin,
		Stdout:  result,
		Timeout: e.Timeout,
	})
	if e.Pushes != nil {
		attempt = e.Pushes.push(attempt, pushes)
	}
	if attempt.Outcome == queue.OutcomeDone && e.ResultBytes > 0 {
		attempt.Result = true
		attempt.Output, attempt.Truncated = result.Text()
	}
	return attempt
}

// Close removes what the handler has made in the folder for temporary files.
func (e *Exec) Close() error {
	if e.Pushes == nil {
		return nil
	}
	return e.Pushes.Close()
}

// Arguments returns the command for an item. Without a placeholder the item is appended. The error is for an item that cannot fill a
// placeholder.
func (e *Exec) Arguments(item queue.Item) ([]string, error) {
	command := fields.Command(e.Args)
	args, err := command.Fill(item.ID, item.Payload)
	if err != nil {
		return nil, err
	}
	if command.Placeholder() == "" {
		if !isArgument(item.Payload) {
			return args, nil // the program can read it from standard input
		}
		return append(args, item.Payload), nil
	}
	for _, arg := range args {
		if !isArgument(arg) {
			return nil, fmt.Errorf("the item cannot be an argument of a command (it holds a NUL byte or more than %d bytes): "+
				"leave {} out of the command and read the item from standard input", maxArgument)
		}
	}
	return args, nil
}

func isArgument(s string) bool { return len(s) <= maxArgument && !strings.Contains(s, "\x00") }

// Variables returns the environment variables about an item. What is too long or holds a NUL is not among them.
func Variables(item queue.Item) []string {
	env := []string{"WQ_ITEM_ID=" + item.ID, "WQ_ATTEMPT=" + strconv.Itoa(item.Attempts+1)}
	whole := "WQ_ITEM=" + item.Payload
	if !isArgument(whole) {
		return env
	}
	env = append(env, whole)
	if object, ok := fields.Parse(item.Payload); ok {
		for _, one := range object.Variables(process.HasVariable) {
			if isArgument(one) {
				env = append(env, one)
			}
		}
	}
	return env
}
