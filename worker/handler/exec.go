package handler

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/workqueue/workqueue/worker/queue"
)

// maxArgument is how many bytes an argument or a variable may have: the kernel's MAX_ARG_STRLEN less its NUL.
const maxArgument = 128<<10 - 1

// Exec runs a command once per item. "{}" in an argument stands for the item.
type Exec struct {
	Command
	ResultBytes int // of standard output to keep as the item's result, 0 for none
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
	args, err := e.arguments(item.Payload)
	if err != nil {
		return Attempt{Outcome: queue.OutcomeDead, Reason: err.Error()}
	}
	stdin, err := input(item.Payload)
	if err != nil {
		return unstarted(e.Args[0], err)
	}
	defer stdin.Close()
	tail, result := &tail{}, &head{limit: e.ResultBytes}
	stdout, stderr, flush := e.Output.writers(item, label(item.Payload))
	outcome := e.run(ctx, process{
		args:    args,
		env:     variables(item),
		stdin:   stdin,
		stdout:  io.MultiWriter(stdout, tail, result),
		stderr:  io.MultiWriter(stderr, tail),
		timeout: e.Timeout,
	})
	flush()
	switch {
	case outcome.Outcome != queue.OutcomeDone:
		outcome.Output, outcome.Truncated = tail.lines()
	case e.ResultBytes > 0:
		outcome.Result = true
		outcome.Output, outcome.Truncated = result.result()
	}
	return outcome
}

// arguments puts the item in place of each {}, or behind the command if there is none.
func (e *Exec) arguments(payload string) ([]string, error) {
	args := slices.Clone(e.Args)
	placed := false
	for i, arg := range args {
		if strings.Contains(arg, "{}") {
			args[i] = strings.ReplaceAll(arg, "{}", payload)
			placed = true
		}
	}
	if !placed {
		if !isArgument(payload) {
			return args, nil // it comes by standard input
		}
		return append(args, payload), nil
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

// variables is what a command finds of its item in its environment.
func variables(item queue.Item) []string {
	env := []string{"WQ_ITEM_ID=" + item.ID, "WQ_ATTEMPT=" + strconv.Itoa(item.Attempts+1)}
	const name = "WQ_ITEM="
	if len(name)+len(item.Payload) <= maxArgument && isArgument(item.Payload) {
		env = append(env, name+item.Payload)
	}
	return env
}
