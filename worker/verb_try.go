package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/fields"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

var tryVerb = verb{
	name:     "try",
	summary:  "run the command for one item, and touch no queue",
	operands: "ITEM",
	help:     "It prints the arguments and variables that the command gets, runs it as the worker would, and says what a worker would do next. It needs no Redis. With WQ_DRY_RUN=true it prints and runs nothing.",
	settings: func() any { return &config.Try{} },
	examples: []string{
		`WQ_COMMAND='["echo", "{.name}"]' worker try '{"name": "apple"}'`,
		"worker try -- -n",
	},
	codes: []int{exitConfig},
	run:   runTry,
}

// runTry runs the command for one item. The command's output is the verb's own; what is said about it goes to standard error. It needs no
// Redis.
func runTry(ctx context.Context, args []string) error {
	if os.Getenv("WQ_QUEUE") == "" {
		if err := os.Setenv("WQ_QUEUE", "try"); err != nil {
			return err
		}
	}
	settings := &config.Try{}
	s, err := start(settings, &settings.Common)
	if err != nil {
		return err
	}
	item := queue.Item{ID: "1", Payload: args[0]}
	h := newHandler(&settings.Work, s.log)
	args, variables, err := delivery(&settings.Work, h, item)
	describe("command", commandLine(args, err))
	for _, one := range variables {
		describe("variable", one)
	}
	if settings.DryRun {
		return nil
	}
	var attempt handler.Attempt
	started := time.Now()
	h.Handle(ctx, []queue.Item{item}, func(_ int, a handler.Attempt) { attempt = a })
	if c, ok := h.(io.Closer); ok {
		_ = c.Close()
	}
	if reason := dispatch.TooMuch(attempt.Push); reason != "" {
		attempt.Outcome, attempt.Reason, attempt.Push = queue.OutcomeDead, reason, nil
	}
	describe("exit code", fmt.Sprint(attempt.ExitCode))
	describe("seconds", fmt.Sprintf("%.3f", time.Since(started).Seconds()))
	describe("outcome", outcome(&settings.Work, attempt))
	for _, payload := range attempt.Push {
		describe("push", payload)
	}
	if attempt.Result {
		describe("result", fmt.Sprintf("%q", attempt.Output))
	}
	if attempt.Outcome != queue.OutcomeDone {
		return codeError{code: 1}
	}
	return nil
}

func describe(name, value string) { fmt.Fprintf(os.Stderr, "%-9s  %s\n", name, text.Printable(value)) }

// commandLine returns a command's arguments as JSON.
func commandLine(args []string, err error) string {
	switch {
	case err != nil:
		return "none: " + err.Error()
	case args == nil:
		return "none: the worker prints Working on <item>"
	}
	return jsonOf(args)
}

// delivery returns the arguments and variables that an item's command gets, nil without a command.
func delivery(settings *config.Work, h handler.Handler, item queue.Item) (args, variables []string, err error) {
	if len(settings.Command) == 0 {
		return nil, nil, nil
	}
	if e, ok := h.(*handler.Exec); ok {
		return e.Deliver(item)
	}
	return fields.Command(settings.Command).Literal(), nil, nil
}

func jsonOf(args []string) string {
	var line strings.Builder
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(args) // strings are always JSON
	return strings.TrimSuffix(line.String(), "\n")
}

// outcome returns what a worker would do with the item after a first attempt.
func outcome(settings *config.Work, attempt handler.Attempt) string {
	switch attempt.Outcome {
	case queue.OutcomeDone:
		return "done"
	case queue.OutcomeFailed:
		if settings.MaxAttempts > 1 {
			return fmt.Sprintf("failed: %s; a worker would run it again, up to %d times in all", attempt.Reason, settings.MaxAttempts)
		}
		return "dead: " + attempt.Reason
	case handler.OutcomeInvalid:
		return "invalid command: " + attempt.Reason + "; a worker would stop"
	}
	return string(attempt.Outcome) + ": " + attempt.Reason
}
