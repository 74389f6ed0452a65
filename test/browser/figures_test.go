package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
)

// noPause is true in the page if nothing offers to pause the run.
const noPause = "document.querySelector('#pause').checkVisibility({visibilityProperty: true}) === false"

// TestTheEndIsNotSuccess: the page tells the end of a run, and how much of it is done, apart.
func TestTheEndIsNotSuccess(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                        string
		end                         func(s *site)
		percent, note, title, bar   string
		attempts, failures, summary string
	}{
		{"all dead", func(s *site) {
			s.seed(numbered(300, "item-%03d")...)
			s.dead(300, func(string) string { return `{"reason":"exit code 1","exit_code":1}` })
		}, "0.0 %", "done, 100.0 % ended", "failed – ended", "100.0", "how long attempts took is not on record", "all 300 dead items.", "300 of 300 items are dead."},
		{"half cancelled", func(s *site) {
			s.seed(numbered(10, "item-%d")...)
			if err := s.queue.Cancel(t.Context(), func(item string) bool { return item < "item-5" }, queue.Cap{}); err != nil {
				t.Fatal(err)
			}
			s.settle(queue.OutcomeDone, 5, func(string) string { return `{"seconds":0.004,"started":"2026-01-02T03:04:05Z"}` })
		}, "100.0 %", "done of what was not cancelled", "done – ended", "100.0", "the latest 5 attempts took: p50 4 ms, p95 4 ms, longest 4 ms", "No item is dead.",
			"5 of 10 items are done, 5 were cancelled."},
		{"one dead", func(s *site) {
			s.seed("item")
			s.dead(1, func(string) string { return `{"reason":"exit code 1","exit_code":1,"started":"2026-01-02T03:04:05Z"}` })
		}, "0.0 %", "done, 100.0 % ended", "failed – ended", "100.0", "the latest attempt took <1 ms", "the only dead item.", "1 of 1 item is dead."},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, "ended")
			test.end(s)
			p := s.open()
			p.await("it has ended", "run && run.finished")
			p.awaitText("#failures-status", test.failures)
			p.awaitText("#latency", test.attempts)
			for what, is := range map[string][2]string{
				"percent": {p.text("#percent"), test.percent}, "note": {p.text("#ended"), test.note}, "summary": {p.text("#summary"), test.summary},
				"title": {eval[string](p, "document.title"), test.title}, "bar": {eval[string](p, "document.getElementById('progress').getAttribute('aria-valuenow')"), test.bar},
			} {
				if is[0] != is[1] {
					t.Errorf("the %s is %q, want %q", what, is[0], is[1])
				}
			}
			if !eval[bool](p, noPause) {
				t.Error("it offers to pause a run that has ended")
			}
			p.shoot(strings.ReplaceAll(test.name, " ", "-"))
			p.calm()
		})
	}
}

// TestAStoppedRunStandsStill: its duration does not grow, on the page and in the list of runs, and there is nothing to pause.
func TestAStoppedRunStandsStill(t *testing.T) {
	t.Parallel()
	s := newSite(t, "stopped")
	p := s.open()
	p.awaitText("#state", "unseeded")
	if !eval[bool](p, noPause) {
		t.Error("it offers to pause a run that is not there")
	}
	s.seed(numbered(100, "item-%02d")...)
	p.awaitText("#state", "waiting")
	if eval[bool](p, noPause) {
		t.Error("it does not offer to pause a run that waits")
	}
	_ = s.shell("sleep 0.05; exit 1", "WQ_MAX_ATTEMPTS=1", "WQ_STOP_AFTER_DEAD=3").Wait()
	p.awaitText("#state", "stopped")
	p.awaitText("#pace", "took ")
	p.click("#runs-card > summary")
	p.awaitText("#runs-rows", "stopped")
	read := func() string { return p.text("#pace") + "\n" + p.text("#runs-rows") }
	before, now := read(), eval[float64](p, "Date.parse(run.now)")
	p.await("some snapshots have come", fmt.Sprintf("Date.parse(run.now) > %f + 6000", now)) // the list of runs is 5 s old at most
	if after := read(); after != before {
		t.Errorf("it went on:\n%s\nthen\n%s", before, after)
	}
	if !eval[bool](p, noPause) {
		t.Error("it offers to pause a run that was stopped")
	}
	p.run("scrollTo(0, 0)")
	p.shoot("stopped")
	p.calm()
}

// TestRunningIsNotLeased: the page says how many items run, beside the many that workers hold.
func TestRunningIsNotLeased(t *testing.T) {
	t.Parallel()
	s := newSite(t, "leased")
	s.seed(numbered(3000, "item-%04d")...)
	session := s.queue.NewSession("pod-a.k3x9", queue.Limits{Lease: time.Minute, BatchBytes: 1 << 30, MaxCrashes: 3})
	for range 2 { // the second call has a number that is not lower
		if _, err := session.Exchange(t.Context(), queue.Request{Want: 1000, Status: fmt.Sprintf(`{"pod":"pod-a","started":%q,"running":2}`, time.Now().Format(time.RFC3339))}); err != nil {
			t.Fatal(err)
		}
	}
	p := s.open()
	p.awaitText("#leased", "1,500")
	p.awaitText("#latency", "2 items run")
	p.shoot("leased")
	p.calm()
}

// TestDurationsAreTheSameEverywhere: the page writes a duration as the verbs do.
func TestDurationsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	p := newSite(t, "durations").open()
	p.awaitText("#state", "unseeded")
	for _, seconds := range []float64{0, .0004, .0006, .001, .0123, .5, .9994, .9996, 1, 1.26, 9.94, 9.96, 10, 59.6, 119.7, 120, 3599, 7199, 7200, 400_000} {
		want := report.Duration(time.Duration(seconds * float64(time.Second)))
		if got := eval[string](p, fmt.Sprintf("span(%v)", seconds)); got != want {
			t.Errorf("%v seconds are %q on the page and %q in a terminal", seconds, got, want)
		}
	}
	for rate, want := range map[float64]string{0.00042: "0.00042", 0.5: "0.5", 9.876: "9.88", 1234.5: "1,235"} {
		if got := eval[string](p, fmt.Sprintf("rate(%v)", rate)); got != want {
			t.Errorf("a rate of %v is %q, want %q", rate, got, want)
		}
	}
}

// TestTimesNameTheirZone: the page has the time where its reader is, names the zone, and has UTC as the title.
func TestTimesNameTheirZone(t *testing.T) {
	t.Parallel()
	s := newSite(t, "zones")
	s.seed(numbered(20, "item-%02d")...)
	s.dead(1, traceback)
	s.shell("sleep 60", "WQ_CONCURRENCY=2", "WQ_STOP_AFTER_DEAD=0")
	p := s.open()
	call(p, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kolkata"})
	p.do(chromedp.Reload())
	p.awaitText("#pace", "started")
	const zoned = `\d\d:\d\d:\d\d GMT\+5:30`
	p.await("the time of the data", fmt.Sprintf(`/^%s$/.test(document.getElementById("clock").textContent)`, zoned))
	p.await("the start", fmt.Sprintf(`/started %s/.test(document.getElementById("pace").textContent)`, zoned))
	p.awaitText("#dead-list time", "2026-01-02 08:34:05 GMT+5:30")
	if title := eval[string](p, "document.querySelector('#dead-list time').title"); title != "2026-01-02 03:04:05 UTC" {
		t.Errorf("the title of a time is %q", title)
	}
	// What the monitor has written is in the same zone.
	for said, want := range map[string]string{
		"since 2026-01-02 20:04:05 UTC: none":   "since 2026-01-03 01:34:05 GMT+5:30: none",
		"at 23:59:59 UTC, then at 00:00:01 UTC": "at 05:29:59 GMT+5:30, then at 05:30:01 GMT+5:30",
		"99:99:99 UTC":                          "99:99:99 UTC",
	} {
		got := eval[string](p, fmt.Sprintf("(() => { const e = document.createElement('p'); e.append(...timed(%q, Date.now())); return e.textContent.replace(/\\d{4}-\\d\\d-\\d\\d (?=05)/g, ''); })()", said))
		if got != want {
			t.Errorf("%q becomes %q, want %q", said, got, want)
		}
	}
	if eval[bool](p, `/\bUTC\b/.test(document.body.innerText)`) {
		t.Errorf("the page has times of two zones:\n%s", p.text("body"))
	}
	p.calm()
}

// TestWhatIsOpenStaysOpen: a search and a refresh close no item, and take neither the focus nor the place in its output.
func TestWhatIsOpenStaysOpen(t *testing.T) {
	t.Parallel()
	s := newSite(t, "open")
	s.seed(numbered(60, "item-%02d")...)
	s.dead(30, traceback)
	p := s.open()
	p.await("they are listed", "document.querySelectorAll('#dead-list li').length === 30")
	p.run(`window.opened = [...document.querySelectorAll("#dead-list li")].find((li) => li.textContent.includes("item-07")).querySelector("details");
		opened.querySelector("summary").click()`)
	p.awaitText("#dead-list .record", "item-07: truncated")
	p.write("#dead-match", "item-0")
	p.await("ten are left", "document.querySelectorAll('#dead-list li').length === 10")
	const still = "[...document.querySelectorAll('#dead-list details[open]')].map((d) => d.innerText).filter((text) => text.includes('item-07: truncated')).length === 1"
	p.await("it is open among the ten", still)
	p.run("opened.querySelector('summary').focus()")
	s.dead(10, traceback)
	p.await("the page offers the latest", "!document.getElementById('dead-fresh').classList.contains('unseen')")
	p.run("dead.first()")
	p.await("they are loaded again", "document.getElementById('dead-fresh').classList.contains('unseen')")
	p.await("it is open after the refresh", still)
	if !eval[bool](p, "opened.isConnected && document.activeElement === opened.querySelector('summary')") {
		t.Error("the refresh took the focus")
	}
	p.write("#dead-match", "item-1")
	p.await("it is not among those", "document.querySelectorAll('#dead-list li').length === 10 && !document.querySelector('#dead-list details[open]')")
	p.write("#dead-match", "")
	p.await("all are listed", "document.querySelectorAll('#dead-list li').length === 40")
	p.await("it is open when it is back", still)
	p.calm()
}
