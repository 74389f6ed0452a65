package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	batchv1 "k8s.io/api/batch/v1"
)

// runPod runs a pod's processes one after another and returns the exit code of the last, or of the first that fails. When ctx is
// done it ends them as a kubelet does, and returns ctx's cause.
func (m *machine) runPod(ctx context.Context, p pod) (int, error) {
	for i, process := range p {
		code, err := m.run(ctx, process)
		if context.Cause(ctx) != nil {
			return code, context.Cause(ctx)
		}
		if err != nil || code != 0 || i == len(p)-1 {
			return code, err
		}
	}
	return 0, nil
}

// runWorkers runs the worker Job. It returns 0 if one of its pods succeeded, else the exit code that failed the Job: the first
// that its podFailurePolicy names, which ends the other pods, or that of the last pod.
func (m *machine) runWorkers(ctx context.Context, workers []pod) (int, error) {
	type result struct {
		code int
		err  error
	}
	pods, failJob := context.WithCancel(ctx)
	defer failJob()
	results := make(chan result)
	for _, worker := range workers {
		go func() {
			code, err := m.runPod(pods, worker)
			results <- result{code, err}
		}()
	}
	succeeded, failed, last := false, 0, 0
	var first error
	for range workers {
		r := <-results
		switch {
		case failed != 0 || first != nil: // the rest has been told to stop
		case r.err != nil:
			first = r.err
			failJob()
		case r.code == 0:
			succeeded = true
		case failsJob(m.plan.job, r.code):
			failed = r.code
			failJob()
		default:
			last = r.code
		}
	}
	switch {
	case context.Cause(ctx) != nil:
		return 0, context.Cause(ctx)
	case first != nil:
		return 0, first
	case failed != 0:
		return failed, nil
	case succeeded:
		return 0, nil
	}
	return last, nil
}

// failsJob reports whether a pod's exit code fails its Job at once.
func failsJob(job *batchv1.Job, code int) bool {
	if job.Spec.PodFailurePolicy == nil {
		return false
	}
	return slices.ContainsFunc(job.Spec.PodFailurePolicy.Rules, func(rule batchv1.PodFailurePolicyRule) bool {
		return rule.Action == batchv1.PodFailurePolicyActionFailJob && rule.OnExitCodes != nil &&
			rule.OnExitCodes.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn && slices.Contains(rule.OnExitCodes.Values, int32(code))
	})
}

// run runs one process to its end and returns its exit code, 128 and the signal's number if a signal ended it. When ctx is done
// the process gets SIGTERM, and SIGKILL after its grace.
func (m *machine) run(ctx context.Context, p process) (int, error) {
	out := m.output.prefixed(p.name)
	defer out.Close()
	cmd := p.command(out)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("%s: %w", p.name, err)
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
			return
		case <-m.kill.Done():
		case <-time.After(p.grace):
		}
		_ = cmd.Process.Kill()
	}()
	err := cmd.Wait()
	close(ended)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return 0, fmt.Errorf("%s: %w", p.name, err)
	}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

func (p process) command(out interface{ Write([]byte) (int, error) }) *exec.Cmd {
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, out, out
	// In a group of its own, so that a Ctrl-C in the terminal reaches it through the grace and not beside it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A container ends with its first process, whoever holds its output.
	cmd.WaitDelay = time.Second
	return cmd
}

// startRedis starts Redis and waits until it accepts connections. The function that it returns ends it.
func (m *machine) startRedis(ctx context.Context, p pod) (stop func(), err error) {
	server := p[len(p)-1]
	var log bytes.Buffer
	cmd := server.command(&log)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	for ; ; time.Sleep(20 * time.Millisecond) {
		connection, err := net.Dial("tcp", m.redisAddr)
		if err == nil {
			connection.Close()
			return stop, nil
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("redis: redis-server does not start:\n%s", strings.TrimSpace(log.String()))
		case <-ctx.Done():
			stop()
			return nil, context.Cause(ctx)
		default:
		}
	}
}

// adoptDescendants makes this process the parent of all orphans among its descendants, so that none of them gets away.
func adoptDescendants() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	return nil
}

// killDescendants kills what the processes have left behind.
func killDescendants() {
	for range 100 {
		children := children()
		if len(children) == 0 {
			return
		}
		for _, child := range children {
			_ = syscall.Kill(child, syscall.SIGKILL)
			_, _ = syscall.Wait4(child, nil, 0, nil)
		}
	}
}

func children() (all []int) {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// output is the terminal, which all processes share.
type output struct{ mutex sync.Mutex }

// prefixed returns a writer that puts a name before each line.
func (o *output) prefixed(name string) *prefixed { return &prefixed{output: o, name: name} }

type prefixed struct {
	output *output
	name   string
	line   []byte // what has come of a line that is not complete
}

func (p *prefixed) Write(text []byte) (int, error) {
	p.line = append(p.line, text...)
	end := bytes.LastIndexByte(p.line, '\n')
	if end < 0 {
		return len(text), nil
	}
	p.print(p.line[:end])
	p.line = slices.Clone(p.line[end+1:])
	return len(text), nil
}

// Close prints what is left.
func (p *prefixed) Close() {
	if len(p.line) > 0 {
		p.print(p.line)
	}
}

func (p *prefixed) print(lines []byte) {
	p.output.mutex.Lock()
	defer p.output.mutex.Unlock()
	for line := range bytes.SplitSeq(lines, []byte("\n")) {
		fmt.Printf("%-9s | %s\n", p.name, line)
	}
}
