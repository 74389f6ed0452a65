package browser

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/workqueue/workqueue/worker/queue"
)

// traceback is the record of a program in Python that fails differently for each item.
func traceback(item string) string {
	return fmt.Sprintf(`{"reason":"exit code 1","exit_code":1,"output":"Traceback (most recent call last):\n  File \"thumb.py\", line 12\nValueError: %s: truncated\n","host":"thumbnails-7x9k2","node":"node-3","started":"2026-01-02T03:04:05Z","seconds":4.2}`, item)
}

// TestAGroupOfFailuresIsShownAndRetried: the table counts alike failures together; one group is shown, retried, and gone.
func TestAGroupOfFailuresIsShownAndRetried(t *testing.T) {
	t.Parallel()
	s := newSite(t, "groups")
	s.seed(numbered(40, "s3://bucket/item-%04d")...)
	s.dead(23, traceback)
	s.dead(4, func(string) string { return `{"reason":"no end after 30s","exit_code":124}` })
	s.dead(1, func(string) string { return `{"reason":"<img src=x onerror=alert(1)>\u202e","exit_code":2}` })
	p := s.open()
	p.awaitText("#failures-rows tr:nth-child(1)", "23")
	p.awaitText("#failures-rows tr:nth-child(1)", "exit code 1: ValueError")
	p.awaitText("#failures-rows tr:nth-child(2)", "no end after 30s (exit code 124)")
	p.awaitText("#failures-rows tr:nth-child(3)", "<img src=")
	p.click("#failures-rows tr:nth-child(2) button")
	p.await("its four are listed", "document.querySelectorAll('#dead-list li').length === 4")
	p.awaitText("#dead-status", "only “no end after 30s (exit code 124)”")
	p.shoot("failures")
	p.click("#dead-clear")
	p.await("all are listed", "document.querySelectorAll('#dead-list li').length === 28")
	p.click("#failures-rows tr:nth-child(1) button:nth-child(2)")
	p.awaitText("#confirm-title", "Retry all dead items of the kind “exit code 1: ValueError”?")
	p.write("#token", token)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.awaitText("#confirm-status", "23 items are back in the queue")
	p.click("#confirm-no")
	p.await("the group is gone", "document.querySelectorAll('#failures-rows tr').length === 2")
	if c := s.counts(); c.Dead != 5 || c.Revived != 23 {
		t.Errorf("%d are dead and %d were retried, want 5 and 23", c.Dead, c.Revived)
	}
	p.calm()
}

// TestWorkersAndLogs: the table shows who holds what, and offers the command for the pod's log; a name that a shell could
// take for a command is not offered.
func TestWorkersAndLogs(t *testing.T) {
	t.Parallel()
	s := newSite(t, "workers")
	s.seed(numbered(30, "item-%02d")...)
	s.dead(1, traceback)
	s.dead(1, func(string) string {
		return `{"reason":"exit code 1","exit_code":1,"host":"x; rm -rf ~","started":"2026-01-02T03:04:05Z"}`
	})
	s.shell("sleep 60", "WQ_CONCURRENCY=2", "WQ_STOP_AFTER_DEAD=0", "WQ_HOST=thumbnails-7x9k2", "WQ_NODE=node-3", "WQ_IMAGE=<img src=x>")
	s.shell("sleep 60", "WQ_CONCURRENCY=2", "WQ_STOP_AFTER_DEAD=0", "WQ_HOST=$(reboot)", "WQ_IMAGE=<img src=x>")
	p := s.open()
	p.await("both hold items", "document.querySelectorAll('#workers-rows tr').length === 2")
	p.awaitText("#workers-rows", "thumbnails-7x9k2")
	p.awaitText("#workers-rows", "node-3")
	p.await("it shows for how long an item runs", `/item-\d\d for [\d.]+ s/.test(document.getElementById("workers-rows").textContent)`)
	p.click("#settings summary")
	p.awaitText("#settings-rows", "worker.concurrency")
	p.awaitText("#settings-rows", "sleep 60")
	p.awaitText("#settings-rows", "<img src=x>")
	p.awaitText("#settings-rows", "worker.parallelism")
	p.awaitText("#latency", "longest 4.2 s")
	titles := eval[[]string](p, "[...document.querySelectorAll('#workers-rows button')].map((b) => b.title)")
	if len(titles) != 1 || titles[0] != "kubectl logs thumbnails-7x9k2" {
		t.Errorf("the commands offered are %q", titles)
	}
	p.run("document.querySelectorAll('#dead-list details').forEach((d) => { d.open = true })")
	p.await("both are open", "document.querySelectorAll('#dead-list .record').length === 2")
	if commands := eval[[]string](p, "[...document.querySelectorAll('#dead-list .tools code')].map((c) => c.innerText)"); len(commands) != 1 ||
		commands[0] != "kubectl logs thumbnails-7x9k2 --since-time=2026-01-02T03:04:05.000Z" {
		t.Errorf("the commands offered for dead items are %q", commands)
	}
	p.click("#dead-list .record button.small")
	p.awaitText("#dead-list .record button.small", "Cop") // copied, or selected
	p.shoot("workers")
	p.calm()
}

// TestResultsAndDownloads: results are searched like dead items, and what is shown is what a download holds.
func TestResultsAndDownloads(t *testing.T) {
	t.Parallel()
	s := newSite(t, "results")
	s.seed(numbered(130, "item-%03d")...)
	s.settle(queue.OutcomeDone, 120, func(item string) string { return fmt.Sprintf(`{"output":"result of %s","seconds":1}`, item) })
	s.dead(10, traceback)
	p := s.open()
	p.click("#results-card > summary")
	p.await("a page of them is listed", "document.querySelectorAll('#results-list li').length === 50")
	p.click("#results-older")
	p.awaitText("#results-status", "Page 2")
	p.write("#results-match", "RESULT OF ITEM-007")
	p.await("one is left", "document.querySelectorAll('#results-list li').length === 1")
	p.click("#results-list summary")
	p.awaitText("#results-list .record", "result of item-007")
	p.shoot("results")
	for id, want := range map[string]int{"results-jsonl": 1, "dead-csv": 11, "dead-jsonl": 10} {
		response, err := http.Get(eval[string](p, fmt.Sprintf("document.getElementById(%q).href", id)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if lines := strings.Count(string(body), "\nitem") + strings.Count(string(body), "}\n"); err != nil || !strings.HasSuffix(id, "csv") && lines != want {
			t.Errorf("%s has %d lines, want %d: %v", id, lines, want, err)
		}
	}
	p.calm()
}

// TestHistory: the page lists the release's runs; a click opens one, and back returns.
func TestHistory(t *testing.T) {
	t.Parallel()
	s := newSite(t, "fruits-000000000b")
	client := s.redis.Client()
	defer client.Close()
	former := *s
	former.queue = queue.New(client, "fruits-000000000a")
	former.seed("apple", "banana")
	if err := former.shell("true").Wait(); err != nil {
		t.Fatal(err)
	}
	s.seed(numbered(5, "item-%d")...)
	p := s.open()
	p.click("#runs-card > summary")
	p.await("both are listed", "document.querySelectorAll('#runs-rows tr').length === 2")
	p.awaitText("#runs-rows tr:nth-child(2)", "done")
	p.shoot("runs")
	p.do(chromedp.Click(chromedp.CSS("#runs-rows tr:nth-child(2) a"), chromedp.NodeVisible))
	p.awaitText("h1", "fruits-000000000a")
	p.awaitText("#summary", "All 2 items are done.")
	p.run("setTimeout(() => history.back())") // only once the browser has answered: a page that goes cannot
	p.awaitText("h1", "fruits-000000000b")
	p.do(chromedp.Navigate("http://" + s.addr + "/?queue=somebody-elses"))
	p.awaitText("#alert", "not a run of this release")
	p.calm()
}

// TestNothingMoves: from the first item to the last nothing on the page jumps, though every part of it fills.
func TestNothingMoves(t *testing.T) {
	t.Parallel()
	s := newSite(t, "steady")
	s.seed(numbered(60, "item-%02d")...)
	p := s.open()
	p.do(chromedp.EmulateViewport(1200, 3000)) // all of it is in view
	p.awaitText("#state", "waiting")
	p.await("the fonts are there", "document.fonts.status === 'loaded'")
	p.run(`window.moved = []; new PerformanceObserver((list) => { for (const e of list.getEntries()) if (e.value >= .0001) moved.push(...e.sources.map((s) =>
		e.value.toFixed(4) + " " + (s.node ? (s.node.id || s.node.className || s.node.nodeName) : "?") + " " + s.previousRect.y + " to " + s.currentRect.y)); }).observe({type: "layout-shift"})`)
	s.shell("sleep 0.2; case $1 in *3) exit 3;; esac", "WQ_CONCURRENCY=4", "WQ_MAX_ATTEMPTS=1", "WQ_STOP_AFTER_DEAD=0")
	p.awaitText("#state", "failed")
	s.redis.Kill()
	p.awaitText("#alert", "unreachable")
	s.redis.Restart()
	p.await("it is back", "document.getElementById('alert').hidden")
	time.Sleep(100 * time.Millisecond)
	if moved := eval[[]string](p, "moved"); len(moved) > 0 {
		t.Errorf("these moved: %q", moved)
	}
	p.calm()
}
