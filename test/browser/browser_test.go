// Package browser tests the monitor's page in a real Chromium, on a real Redis, with real workers. Its screenshots are in
// bin/browser: look at them when you change the page.
package browser

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/workqueue/workqueue/test/built"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

const token = "a token of some length"

// chromium is started once for all tests.
var chromium context.Context

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "chromium")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.UserDataDir(dir), chromedp.NoSandbox,
			chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
			chromedp.Flag("disable-features", "Translate,MediaRouter"), chromedp.WSURLReadTimeout(time.Minute))
		allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
		defer stop()
		var end context.CancelFunc
		chromium, end = chromedp.NewContext(allocator)
		defer end()
		if err := chromedp.Do(chromium); err != nil {
			fmt.Fprintf(os.Stderr, "Chromium does not start (Debian package chromium, or run make deps): %v\n", err)
			return 1
		}
		return m.Run()
	}())
}

// site is a queue and its monitor.
type site struct {
	t     *testing.T
	redis *redistest.Server
	queue *queue.Queue
	addr  string
	stop  func() // ends the monitor
}

// newSite starts a Redis with a queue on it, and its monitor.
func newSite(t *testing.T, name string) *site {
	t.Helper()
	s := &site{t: t, redis: redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")}
	client := s.redis.Client()
	t.Cleanup(func() { client.Close() })
	s.queue = queue.New(client, name)
	s.addr = redistest.FreeAddr(t)
	s.monitor()
	return s
}

// monitor starts the monitor, or starts it again.
func (s *site) monitor() {
	s.t.Helper()
	cmd := s.worker("monitor", "WQ_MONITOR_ADDR="+s.addr, "WQ_MONITOR_ACTIONS=true", "WQ_MONITOR_TOKEN="+token, "WQ_PARALLELISM=12")
	redistest.Eventually(s.t, "the monitor is ready", func() error {
		response, err := http.Get("http://" + s.addr + "/readyz")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	})
	s.stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
}

// worker starts the worker's binary on the queue. It ends with the test.
func (s *site) worker(verb string, env ...string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(built.Worker(s.t), verb)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "WQ_QUEUE=" + s.queue.Name, "WQ_REDIS_URL=" + s.redis.URL()}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	logged := &strings.Builder{}
	cmd.Stderr = logged
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("worker %s logged: %.2000s", verb, logged)
		}
	})
	return cmd
}

// shell starts a worker that runs a line of shell for each item, which is $1.
func (s *site) shell(line string, env ...string) *exec.Cmd {
	return s.worker("work", append([]string{fmt.Sprintf("WQ_COMMAND=[\"/bin/sh\",\"-c\",%q,\"item\",\"{}\"]", line)}, env...)...)
}

func (s *site) seed(items ...string) {
	s.t.Helper()
	seeder := s.queue.NewSeeder("test")
	for _, item := range items {
		if err := seeder.Add(s.t.Context(), item); err != nil {
			s.t.Fatal(err)
		}
	}
	if _, _, err := seeder.Publish(s.t.Context(), true); err != nil {
		s.t.Fatal(err)
	}
}

// settle leases so many items and reports an outcome of each, as a worker would, with the record that report returns.
func (s *site) settle(outcome queue.Outcome, items int, report func(item string) string) {
	s.t.Helper()
	session := s.queue.NewSession("host."+rand.Text(), queue.Limits{Lease: time.Minute, BatchBytes: 1 << 30, MaxCrashes: 3})
	for items > 0 {
		reply, err := session.Exchange(s.t.Context(), queue.Request{Want: min(items, 1000)})
		if err != nil {
			s.t.Fatal(err)
		}
		done := queue.Report{Batch: reply.Batch.ID, Release: true}
		for i, item := range reply.Batch.Items {
			done.Outcomes = append(done.Outcomes, queue.ItemOutcome{Position: i, Outcome: outcome, Text: report(item.Payload)})
		}
		if outcome == queue.OutcomeDone {
			done.Done = len(done.Outcomes)
		}
		if _, err := session.Exchange(s.t.Context(), queue.Request{Reports: []queue.Report{done}}); err != nil {
			s.t.Fatal(err)
		}
		items -= len(reply.Batch.Items)
	}
}

// dead makes dead letters of so many items.
func (s *site) dead(items int, report func(item string) string) {
	s.t.Helper()
	s.settle(queue.OutcomeDead, items, report)
}

func (s *site) counts() queue.Counts {
	s.t.Helper()
	c, err := s.queue.Counts(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// tab is an open page, as wide as a laptop's screen.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	troubles []string // dialogs and complaints of the browser
}

// open opens the monitor's page.
func (s *site) open() *tab {
	s.t.Helper()
	ctx, closeTab := chromedp.NewContext(chromium)
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	s.t.Cleanup(func() { cancel(); closeTab() })
	p := &tab{t: s.t, ctx: ctx}
	p.do(chromedp.EmulateViewport(1200, 900))
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		s.t.Fatal(err)
	}
	call(p, log.Enable, cdp.Empty{})
	p.light("light")
	p.do(chromedp.Navigate("http://" + s.addr + "/"))
	return p
}

// listen records what must never happen.
func (p *tab) listen(event any) {
	trouble := ""
	switch e := event.(type) {
	case *page.EventJavascriptDialogOpening:
		trouble = "a dialog: " + e.Message
	case *runtime.EventExceptionThrown:
		trouble = "an exception: " + fmt.Sprintf("%+v", e.ExceptionDetails)
	case *log.EventEntryAdded:
		// The tests make Redis and the monitor unreachable on purpose; recommendations are no trouble.
		if e.Entry.Source != log.EntrySourceNetwork && e.Entry.Source != log.EntrySourceRecommendation {
			trouble = string(e.Entry.Source) + ": " + e.Entry.Text
		}
	}
	if trouble != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.troubles = append(p.troubles, trouble)
	}
}

// calm fails the test if anything happened that must never happen.
func (p *tab) calm() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, trouble := range p.troubles {
		p.t.Error("in the browser: ", trouble)
	}
}

// call sends a command of the browser's protocol.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) (result R) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) (err error) {
		result, err = cdp.Call(ctx, target, command, params)
		return err
	}))
	return result
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.shoot("failed-" + strings.ReplaceAll(p.t.Name(), "/", "-"))
		p.t.Fatal(err)
	}
}

// light sets the theme of the system, "light" or "dark".
func (p *tab) light(theme string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// eval returns the value of an expression in the page.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// await waits until an expression is true in the page. A page that is being replaced by the next one cannot be asked: the browser
// refuses with an error, and await asks again.
func (p *tab) await(what, expression string) {
	p.t.Helper()
	const patient = time.Minute // far more than anything here takes on a machine that does nothing else
	var refused error
	for deadline := time.Now().Add(patient); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		var holds bool
		if holds, refused = chromedp.Run(p.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")")); holds {
			return
		}
	}
	p.shoot("failed-" + strings.ReplaceAll(p.t.Name(), "/", "-"))
	p.t.Fatalf("not within %v: %s (%s; error: %v); see bin/browser; the page says:\n%s", patient, what, expression, refused,
		eval[string](p, "document.body.innerText.slice(0, 2000)"))
}

// text returns what an element shows.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf("document.querySelector(%q).innerText", selector))
}

// run runs a statement in the page.
func (p *tab) run(script string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](script))
}

func (p *tab) awaitText(selector, text string) {
	p.t.Helper()
	p.await(selector+" shows "+text, fmt.Sprintf("(({e = document.querySelector(%q)}) => e && e.checkVisibility() && e.innerText.includes(%q))({})", selector, text))
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// write clears a field and types into it.
func (p *tab) write(selector, text string) {
	p.t.Helper()
	p.run(fmt.Sprintf("document.querySelector(%q).select()", selector))
	p.do(chromedp.KeyEvent("\b"), chromedp.KeyEvent(text))
}

// fits fails the test if the page is wider than the screen.
func (p *tab) fits() {
	p.t.Helper()
	if over := eval[int](p, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
		p.t.Errorf("the page is %d pixels wider than the screen", over)
		p.shoot("failed-" + p.t.Name())
	}
}

// shoot keeps a screenshot.
func (p *tab) shoot(name string) {
	p.t.Helper()
	dir := "../../bin/browser"
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Logf("no picture %s: %v", name, err)
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
