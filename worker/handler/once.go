package handler

import (
	"context"
	"io"

	"github.com/workqueue/workqueue/worker/process"
)

// Once runs the command as it is, with a standard input and additional variables of its own.
func (c *Command) Once(ctx context.Context, stdin io.Reader, env []string) Attempt {
	tail := &process.Tail{}
	stdout, stderr, flush := c.Output.Writers(process.Origin{Label: "last step"})
	attempt := c.runProcess(ctx, process.Process{Args: c.Args, Env: env, Stdin: stdin,
		Stdout: io.MultiWriter(stdout, tail), Stderr: io.MultiWriter(stderr, tail), Timeout: c.Timeout})
	flush()
	attempt.Output, attempt.Truncated = tail.Lines()
	return attempt
}
