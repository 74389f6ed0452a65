package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/workqueue/workqueue/test/built"
	"github.com/workqueue/workqueue/worker/redistest"
)

// Exit codes of a worker that a Job treats specially.
const (
	exitDrained     = 0
	exitUnreachable = 69
	exitStopped     = 143
)

// job does what a Kubernetes Job does: it starts workers and replaces those that fail until one has succeeded. An exit code that
// would fail the chart's Job at once is a problem.
type job struct {
	t       *testing.T
	binary  string
	runs    string // the file in which items write down that they were run
	shared  []string
	words   words
	proxies *toxiproxy.ApiServer
	pods    []*pod
	waiting sync.WaitGroup

	mu        sync.Mutex
	succeeded bool
	stopped   bool
	starts    int
	wrong     []string
}

// pod is a worker and its link to Redis.
type pod struct {
	name string
	env  []string
	link *toxiproxy.Proxy
	mu   sync.Mutex
	cmd  *exec.Cmd // nil while there is none
}

func newJob(t *testing.T, server *redistest.Server, pods int) *job {
	dir := t.TempDir()
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics have a logger of their own
	j := &job{t: t, binary: built.Worker(t), runs: filepath.Join(dir, "runs"),
		proxies: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())}
	j.env("PATH="+os.Getenv("PATH"), "RUNS="+j.runs, "WQ_QUEUE="+queueName)
	for i := range pods {
		link := toxiproxy.NewProxy(j.proxies, fmt.Sprint("link", i), "127.0.0.1:0", server.Addr)
		if err := link.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(link.Stop)
		j.pods = append(j.pods, &pod{name: fmt.Sprint("pod", i), link: link})
	}
	return j
}

func (j *job) env(assignments ...string) { j.shared = append(j.shared, assignments...) }

// worker prepares a worker's process.
func (j *job) worker(verb, name, addr string, env ...string) *exec.Cmd {
	cmd := exec.Command(j.binary, verb)
	cmd.Env = append(append([]string{"WQ_REDIS_URL=redis://" + addr}, j.shared...), env...)
	log := prefixed{name, &j.words}
	cmd.Stdout, cmd.Stderr = log, log
	// An item's process may outlive the worker; reading the worker's output must not wait for it.
	cmd.WaitDelay = 100 * time.Millisecond
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (j *job) start() {
	for _, p := range j.pods {
		j.waiting.Go(func() { j.keep(p) })
	}
}

// keep starts a new worker whenever one ends.
func (j *job) keep(p *pod) {
	for {
		cmd := j.worker("work", p.name, p.link.Listen, append(p.env, "WQ_HOST="+p.name)...)
		p.mu.Lock()
		if !j.goesOn() {
			p.mu.Unlock()
			return
		}
		if err := cmd.Start(); err != nil {
			j.problem("%s: %v", p.name, err)
			p.mu.Unlock()
			return
		}
		p.cmd = cmd
		p.mu.Unlock()
		err := cmd.Wait()
		p.mu.Lock()
		p.cmd = nil
		p.mu.Unlock()
		if !j.ends(p.name, cmd.ProcessState, err) {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// goesOn counts a start and reports whether another worker may start at all.
func (j *job) goesOn() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stopped || j.succeeded {
		return false
	}
	j.starts++
	return true
}

// ends judges how a worker ended and reports whether it must be replaced.
func (j *job) ends(name string, state *os.ProcessState, err error) bool {
	status := state.Sys().(syscall.WaitStatus)
	j.words.say(fmt.Sprintf("%s ended: %v", name, state))
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.stopped:
		return false
	case status.Signaled(), state.ExitCode() == exitStopped, state.ExitCode() == exitUnreachable:
		return true
	case state.ExitCode() == exitDrained:
		j.succeeded = true
		return false
	}
	j.wrong = append(j.wrong, fmt.Sprintf("%s ended with %v (%v)", name, state, err))
	j.stopped = true
	return false
}

// ended reports whether a Job would have ended.
func (j *job) ended() bool {
	j.mu.Lock()
	over := j.succeeded || j.stopped
	j.mu.Unlock()
	if !over {
		return false
	}
	for _, p := range j.pods {
		if p.alive() {
			return false
		}
	}
	return true
}

// stop ends all workers that still run.
func (j *job) stop() {
	j.mu.Lock()
	j.stopped = true
	j.mu.Unlock()
	for _, p := range j.pods {
		p.signal(syscall.SIGKILL)
	}
	j.waiting.Wait()
}

func (j *job) problem(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

func (j *job) problems() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.succeeded {
		return append(j.wrong, "no worker has found the queue drained")
	}
	return j.wrong
}

func (j *job) started() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.starts
}

func (p *pod) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}

// signal sends a signal to the worker. It returns false if none runs.
func (p *pod) signal(s syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil && !errors.Is(p.cmd.Process.Signal(s), os.ErrProcessDone)
}

// words keeps the last lines of an output.
type words struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *words) say(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.text.Len() > 8<<20 {
		w.text.Next(4 << 20)
	}
	fmt.Fprintf(&w.text, "%s %s\n", time.Now().Format("15:04:05.000"), line)
}

func (j *job) lastWords() string {
	j.words.mu.Lock()
	defer j.words.mu.Unlock()
	text := j.words.text.String()
	if path := os.Getenv("FAULTS_LOG"); path != "" {
		_ = os.WriteFile(path, []byte(text), 0o644)
	}
	return text[max(0, len(text)-20000):]
}

// prefixed puts a name in front of each line.
type prefixed struct {
	name string
	to   *words
}

func (p prefixed) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if !strings.Contains(line, "attempt failed") {
			p.to.say(p.name + ": " + strings.TrimSpace(line))
		}
	}
	return len(b), nil
}

var _ io.Writer = prefixed{}
