package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func numbered(n int, format string) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(format, i)
	}
	return items
}

func TestARunIsFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, "photos")
	s.seed(numbered(60, "photo-%03d.jpg")...)
	p := s.open()
	p.awaitText("#summary", "none has started yet")
	p.run("window.sameAsBefore = true")
	s.shell("sleep 0.25", "WQ_CONCURRENCY=2")
	var seen []float64
	ran := false
	for {
		percent, err := strconv.ParseFloat(strings.TrimSuffix(p.text("#percent"), " %"), 64)
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) == 0 || percent != seen[len(seen)-1] {
			seen = append(seen, percent)
		}
		if !ran && percent > 40 {
			p.awaitText("#workers", "photo-")
			p.awaitText("#summary", "items are left, which takes about")
			p.awaitText("#pace", "items per second lately")
			p.shoot("running")
			ran = true
		}
		if percent == 100 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if seen[0] != 0 || len(seen) < 5 || !slices.IsSorted(seen) || !ran {
		t.Errorf("the page showed %v percent: want from 0 to 100 in steps", seen)
	}
	p.awaitText("#state", "done")
	p.awaitText("#summary", "All 60 items are done.")
	p.awaitText("#workers-none", "No worker is running.")
	if !eval[bool](p, "window.sameAsBefore === true && document.querySelectorAll('#chart path').length === 2") {
		t.Error("the page was loaded again, or has no chart")
	}
	p.shoot("done")
	if !eval[bool](p, "lostSince === null && document.getElementById('alert').textContent === ''") {
		t.Errorf("the connection was lost: %s", p.text("#alert"))
	}
	p.calm()
}

func TestADeadItemIsFoundReadAndRetried(t *testing.T) {
	t.Parallel()
	s := newSite(t, "downloads")
	s.seed(numbered(30, "https://example.org/file-%02d")...)
	s.shell(`case $1 in *7) printf 'GET %s\n\033[31mcannot resolve example.org\033[0m\n' "$1" >&2; exit 6;; esac`, "WQ_MAX_ATTEMPTS=1", "WQ_MAX_DEAD=100")
	p := s.open()
	p.awaitText("#state", "failed")
	p.awaitText("#summary", "3 of 30 items are dead.")
	p.await("three are listed", "document.querySelectorAll('#dead-list li').length === 3")

	p.write("#dead-match", "FILE-17")
	p.await("one is left", "document.querySelectorAll('#dead-list li').length === 1")
	p.do(chromedp.Focus(chromedp.CSS("#dead-list summary")), chromedp.KeyEvent(kb.Enter))
	p.awaitText("#dead-list .record", "GET https://example.org/file-17\ncannot resolve example.org")
	p.awaitText("#dead-list .facts", "exit code\n6")
	p.shoot("dead-letter")
	p.write("#dead-match", "RESOLVE") // of the output
	p.await("all three contain it", "document.querySelectorAll('#dead-list li').length === 3")
	p.write("#dead-match", "nowhere")
	p.awaitText("#dead-status", "None matches.")
	p.write("#dead-match", "file-17")
	p.await("one is left", "document.querySelectorAll('#dead-list li').length === 1")

	// It is open again, as it was found above.
	p.await("its Retry is pressed", `(details => {
		if (!details.open) details.querySelector("summary").click();
		const retry = details.querySelector("button[aria-label^=Retry]");
		if (retry && retry.checkVisibility()) retry.click();
		return document.querySelector("#confirm").checkVisibility();
	})(document.querySelector("#dead-list details"))`)
	p.awaitText("#confirm", "This cannot be undone")
	p.click("#confirm-yes")
	p.awaitText("#confirm-status", "The token is missing.")
	p.write("#token", "not this one at all")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.awaitText("#confirm-status", "The token is wrong.")
	if c := s.counts(); c.Dead != 3 {
		t.Fatalf("%d are dead after two refused retries, want 3", c.Dead)
	}
	p.shoot("wrong-token")
	p.write("#token", token)
	p.click("#confirm-yes")
	p.awaitText("#confirm-status", "1 item is back in the queue")
	p.shoot("retried")
	p.do(chromedp.KeyEvent(kb.Enter)) // the focus is on Close
	p.await("the dialog is closed", "!document.getElementById('confirm').open")
	p.await("it is not listed any more", "document.querySelectorAll('#dead-list li').length === 0")
	p.write("#dead-match", "")
	p.await("the others still are", "document.querySelectorAll('#dead-list li').length === 2")
	if c := s.counts(); c.Dead != 2 || c.Revived != 1 {
		t.Errorf("%d are dead and %d were put back, want 2 and 1", c.Dead, c.Revived)
	}
	p.awaitText("#dead", "2") // it is sent once a second
	p.click("#retry-all")
	p.awaitText("#confirm-title", "Retry all 2 dead items?")
	p.do(chromedp.KeyEvent(kb.Escape))
	p.await("Escape closes the dialog", "!document.getElementById('confirm').open")
	if c := s.counts(); c.Dead != 2 {
		t.Errorf("they were retried although nobody confirmed it")
	}
	p.click("#retry-all")
	p.click("#confirm-yes")
	p.awaitText("#confirm-status", "2 items are back in the queue")
	p.click("#confirm-no")

	p.click("#pause")
	p.awaitText("#confirm-text", "Undo it with Resume")
	p.click("#confirm-yes")
	p.awaitText("#confirm-status", "Paused. Undo it with Resume.")
	p.click("#confirm-no")
	p.awaitText("#state", "paused")
	if c := s.counts(); !c.Paused {
		t.Error("it is not paused")
	}
	p.shoot("paused")
	worker := s.shell("true", "WQ_MAX_DEAD=100")
	p.click("#resume")
	p.click("#confirm-yes")
	p.awaitText("#confirm-status", "Resumed. Undo it with Pause.")
	p.click("#confirm-no")
	if err := worker.Wait(); err != nil {
		t.Error(err)
	}
	p.awaitText("#summary", "All 30 items are done.")
	p.calm()
}

// hostile is what somebody may have put into a queue, or written as output.
var hostile = []string{
	`<script>window.owned = "script"; alert(1)</script>`,
	`<img src=x onerror="window.owned = 'img'; alert(2)">`,
	`</script><script>window.owned = 3</script></pre></code></li><h1>owned</h1>`,
	`"><svg onload=alert(4)>`, `javascript:alert(5)`, `{{Queue}}${alert(6)}<!--`,
	"\x00\x01\x07\x08\x0b\x1b[2J\x1b]0;owned\x07\x7f\u0085\u2028\u2029",
	"\u202egnp.exe \u2066\u200f مرحبا שלום \u2069",
	"\xff\xfe\x80 not UTF-8 \xc3(",
	"e" + strings.Repeat("\u0301", 2000),
	strings.Repeat("A", 3<<20),
	strings.Repeat("<b>", 100_000),
	strings.Repeat("line\n", 10_000),
	"", " ", "null", "__proto__",
}

func TestHostilePayloadsAreJustText(t *testing.T) {
	t.Parallel()
	const name = `<img src=x onerror="window.owned = 'queue'; alert(0)">`
	s := newSite(t, name)
	s.seed(append(slices.Clone(hostile), hostile[:6]...)...)
	s.dead(len(hostile), func(item string) string {
		text, err := json.Marshal(map[string]any{"reason": item[:min(len(item), 5000)], "output": item[:min(len(item), 100_000)], "host": item[:min(len(item), 300)],
			"node": `<b onclick="alert(7)">`, "exit_code": 3, "started": time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	})
	s.shell("sleep 60", "WQ_CONCURRENCY=6") // the others are running
	p := s.open()
	p.await("all are listed", fmt.Sprintf("document.querySelectorAll('#dead-list li').length === %d", len(hostile)))
	p.await("the others run", "document.querySelectorAll('#workers-rows tr').length > 0")
	p.run("document.querySelectorAll('#dead-list details').forEach((d) => { d.open = true })")
	p.await("all are open", fmt.Sprintf("document.querySelectorAll('#dead-list .record').length === %d", len(hostile)))
	for _, width := range []int64{1200, 360} {
		p.do(chromedp.EmulateViewport(width, 800))
		p.fits()
		p.shoot(fmt.Sprintf("hostile-%d", width))
	}
	if got := p.text("h1"); got != name {
		t.Errorf("the queue's name is shown as %q", got)
	}
	shown := eval[string](p, "document.querySelector('#dead-list').textContent")
	for _, part := range []string{hostile[0], hostile[2], "␀␁␇␈␋", "‹202e›gnp.exe", "مرحبا", "�", "the first part of 3,072 KiB"} {
		if !strings.Contains(shown, part) {
			t.Errorf("%q is not shown as text", part)
		}
	}
	for what, count := range map[string]int{"script": 1, "img": 0, "h1": 1, "b": 0, "#dead-list svg": 0, "#dead-list [onclick]": 0} {
		if got := eval[int](p, fmt.Sprintf("document.querySelectorAll(%q).length", what)); got != count {
			t.Errorf("the page has %d of %s, want %d", got, what, count)
		}
	}
	if owned := eval[string](p, "String(window.owned)"); owned != "undefined" {
		t.Errorf("a script of the queue ran: %s", owned)
	}
	p.calm()

	// Were one to get into the page all the same, the browser would not run it.
	p.run(`document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.owned = 8'><i id=in></i>");
		document.body.append(Object.assign(document.createElement("script"), {text: "window.owned = 9"}))`)
	p.await("it is in", "document.getElementById('in')")
	time.Sleep(200 * time.Millisecond)
	if owned := eval[string](p, "String(window.owned)"); owned != "undefined" {
		t.Errorf("a script within the page ran (%s): the Content-Security-Policy does not hold", owned)
	}
}

// TestManyDeadLetters: with 100,000 dead letters the page stays small, and all of it works.
func TestManyDeadLetters(t *testing.T) {
	const items = 100_000
	s := newSite(t, "many")
	s.seed(numbered(items, "item %06d")...)
	s.dead(items, func(item string) string {
		return fmt.Sprintf(`{"reason":"exit code 3","exit_code":3,"output":%q,"host":"here"}`, "output of "+item)
	})
	p := s.open()
	timed := func(what string, do func()) {
		t.Helper()
		began := time.Now()
		do()
		t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond))
		if rows := eval[int](p, "document.querySelectorAll('#dead-list li').length"); rows > 50 {
			t.Errorf("%s: there are %d rows in the page, want 50 at most", what, rows)
		}
	}
	timed("the first page", func() { p.awaitText("#dead-list", "item 099999") })
	timed("the groups of the latest", func() { p.awaitText("#failures-status", "of the latest 5,000 dead items") })
	p.shoot("many-dead")
	timed("the next page", func() {
		p.click("#dead-older")
		p.awaitText("#dead-status", "Page 2")
		p.awaitText("#dead-list", "item 099949")
	})
	timed("another", func() {
		p.click("#dead-older")
		p.awaitText("#dead-status", "Page 3")
		p.awaitText("#dead-list", "item 099899")
	})
	timed("back", func() {
		p.click("#dead-newer")
		p.awaitText("#dead-status", "Page 2")
		p.awaitText("#dead-list", "item 099949")
	})
	timed("searching for the oldest", func() { p.write("#dead-match", "output of item 000000"); p.awaitText("#dead-list", "item 000000") })
	timed("searching for what is nowhere", func() { p.write("#dead-match", "nowhere"); p.awaitText("#dead-status", "None matches.") })
	timed("counting all", func() {
		p.click("#failures-all")
		p.awaitText("#failures-status", "of all 100,000 dead items")
		p.awaitText("#failures-rows", "100,000")
	})

	// Somebody reads a dead letter while others come: it stays open.
	p.write("#dead-match", "")
	p.awaitText("#dead-list", "item 099999")
	p.click("#dead-list summary")
	if _, err := s.queue.Retry(t.Context(), firstKeys(t, s, 10)); err != nil {
		t.Fatal(err)
	}
	p.await("the page offers the latest", "!document.getElementById('dead-fresh').classList.contains('unseen')")
	if !eval[bool](p, "document.querySelector('#dead-list details').open") {
		t.Error("what was open is closed")
	}
	p.click("#dead-fresh")
	p.await("it is loaded again", "document.getElementById('dead-fresh').classList.contains('unseen')")
	if !eval[bool](p, "document.querySelector('#dead-list details').open") {
		t.Error("the latest closed what was open")
	}
	p.calm()
}

// firstKeys returns the keys of the oldest dead letters.
func firstKeys(t *testing.T, s *site, n int) (keys []string) {
	t.Helper()
	client := s.redis.Client()
	defer client.Close()
	entries, err := client.XRangeN(t.Context(), "{"+s.queue.Name+"}:dead", "-", "+", int64(n)).Result()
	if err != nil || len(entries) != n {
		t.Fatalf("%d dead letters, %v", len(entries), err)
	}
	for _, entry := range entries {
		keys = append(keys, entry.ID)
	}
	return keys
}

// contrasts lists the visible texts whose contrast with their background is below 4.5; black on white has 21.
const contrasts = `(() => {
  const parse = (c) => c.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] !== 0) return c; } return [255, 255, 255]; };
  const low = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility() || e.closest("svg")) continue;
    const a = light(parse(getComputedStyle(e).color)), b = light(ground(e));
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) low.push(e.tagName + "#" + e.id + " " + e.textContent.slice(0, 20) + ": " + contrast.toFixed(1));
  }
  return low;
})()`

func TestLightDarkAndPhone(t *testing.T) {
	t.Parallel()
	s := newSite(t, "thumbnails-of-the-summer-2026-with-a-long-name")
	s.seed(numbered(200, "s3://bucket/a/rather/long/path/to/an/object-%03d.tiff")...)
	s.dead(12, func(item string) string {
		return fmt.Sprintf(`{"reason":"exit code 1","exit_code":1,"output":"Traceback (most recent call last):\n  File \"thumb.py\", line 12\nValueError: %s: truncated\n","host":"thumbnails-7x9k2","node":"node-3","started":%q,"seconds":4.2}`,
			item, time.Now().Format(time.RFC3339))
	})
	s.shell("sleep 0.2", "WQ_CONCURRENCY=8")
	p := s.open()
	p.await("it is on its way", "document.querySelectorAll('#chart path').length === 2 && run.done > 60")
	grounds := map[string]string{}
	for _, theme := range []string{"light", "dark"} {
		p.light(theme)
		grounds[theme] = eval[string](p, "getComputedStyle(document.body).backgroundColor")
		if low := eval[[]string](p, contrasts); len(low) > 0 {
			t.Errorf("%s: hard to read: %q", theme, low)
		}
		p.shoot(theme)
	}
	if grounds["light"] == grounds["dark"] {
		t.Errorf("light and dark have the same ground, %s", grounds["light"])
	}
	for _, width := range []int64{320, 390} {
		p.do(chromedp.EmulateViewport(width, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
		p.run("document.querySelector('#dead-list details').open = true")
		p.fits()
		for _, small := range eval[[]string](p, `[...document.querySelectorAll("button, input, summary")].filter((e) => e.checkVisibility() && !e.closest(".scroll")).filter((e) => {
			const box = e.getBoundingClientRect(); return box.left < 0 || box.right > innerWidth || box.height < 32; }).map((e) => e.outerHTML.slice(0, 60))`) {
			t.Errorf("%d pixels: out of reach of a thumb: %s", width, small)
		}
	}
	p.run("scrollTo(0, 0)")
	p.shoot("phone-dark")
	p.light("light")
	p.run("document.querySelector('#dead-title').scrollIntoView()")
	p.shoot("phone-dead-letter")
	p.calm()
}

// TestPicture makes the screenshot of the documentation, if PICTURE names its file.
func TestPicture(t *testing.T) {
	path := os.Getenv("PICTURE")
	if path == "" {
		t.Skip("for the documentation: PICTURE=../../docs/monitor.png")
	}
	s := newSite(t, "thumbnails-3f9c1a")
	s.seed(numbered(2400, "s3://photos/2026/08/IMG_%04d.tiff")...)
	const line = `sleep 0.$(( ($(date +%s) / 7 % 4) * 2 + 2 ))
		case $1 in *37.tiff | *61.tiff) printf 'reading %s\nTraceback (most recent call last):\n  File "thumb.py", line 12, in scale\nValueError: image file is truncated\n' "$1" >&2; exit 1;; esac`
	for _, host := range []string{"thumbnails-x2v8k", "thumbnails-p7qfd"} {
		s.shell(line, "WQ_CONCURRENCY=8", "WQ_MAX_ATTEMPTS=2", "WQ_BACKOFF_INITIAL=1s", "WQ_STOP_AFTER_DEAD=0", "HOSTNAME="+host, "WQ_HOST="+host)
	}
	p := s.open()
	p.do(chromedp.EmulateViewport(1080, 1500))
	for s.counts().Done < 1300 {
		time.Sleep(100 * time.Millisecond)
		eval[int](p, "1")
	}
	p.await("some are dead", "document.querySelectorAll('#dead-list li').length > 3")
	p.run("document.querySelector('#dead-list li:nth-child(2) summary').click(); document.activeElement.blur()")
	p.shoot("picture")
	picture, err := os.ReadFile("../../bin/browser/picture.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRedisUnreachableAndBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, "nightly")
	p := s.open()
	p.awaitText("#state", "unseeded")
	p.shoot("empty")
	s.seed(numbered(40, "table-%02d")...)
	s.dead(3, func(string) string { return `{"reason":"timed out after 30s"}` })
	p.awaitText("#dead", "3")

	s.redis.Kill()
	p.awaitText("#alert", "Redis has been unreachable since")
	p.awaitText("#dead", "3") // still to be seen
	p.shoot("redis-unreachable")
	p.do(chromedp.Reload())
	p.awaitText("#alert", "Redis has been unreachable since")
	p.shoot("redis-unreachable-from-the-start")
	s.redis.Restart()
	// No worker calls: some seconds after the last call the run is no longer running.
	const back = "document.getElementById('alert').hidden && /^(running|waiting)$/.test(document.getElementById('state').textContent)"
	p.await("it is back", back)
	p.awaitText("#dead", "3")

	s.stop()
	p.awaitText("#alert", "No connection to the monitor since")
	s.monitor()
	p.await("it is back", back)

	client := s.redis.Client()
	defer client.Close()
	client.FlushAll(t.Context())
	p.awaitText("#state", "vanished")
	p.awaitText("#summary", "Redis lost its data")
	p.shoot("vanished")
	p.calm()
}

func TestKeyboardAndNames(t *testing.T) {
	t.Parallel()
	s := newSite(t, "names")
	s.seed(numbered(200, "item-%03d")...)
	s.dead(120, func(string) string { return `{"reason":"exit code 1","exit_code":1,"output":"oh"}` })
	s.shell("sleep 60", "WQ_CONCURRENCY=2", "WQ_STOP_AFTER_DEAD=0")
	p := s.open()
	p.await("all is there", "document.querySelectorAll('#dead-list li').length === 50 && document.querySelectorAll('#workers-rows tr').length > 0")
	p.click("#dead-list summary")

	nodes := call(p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes
	named := map[string]int{}
	for _, node := range nodes {
		if node.Ignored || node.Role == nil {
			continue
		}
		role, name := axText(node.Role), axText(node.Name)
		switch role {
		case "button", "textbox", "searchbox", "link", "progressbar", "image", "region", "navigation", "DisclosureTriangle", "heading":
			if named[role]++; strings.TrimSpace(name) == "" {
				t.Errorf("a %s has no name", role)
			}
		}
	}
	for _, role := range []string{"button", "searchbox", "progressbar", "link", "region", "navigation", "DisclosureTriangle"} {
		if named[role] == 0 {
			t.Errorf("no %s was found in %v", role, named)
		}
	}

	p.run("document.activeElement.blur(); scrollTo(0, 0)")
	reached := map[string]bool{}
	for range 120 {
		p.do(chromedp.KeyEvent(kb.Tab))
		reached[eval[string](p, "document.activeElement.id || document.activeElement.tagName + ' ' + document.activeElement.innerText")] = true
		if outline := eval[string](p, "document.activeElement === document.body ? 'solid' : getComputedStyle(document.activeElement).outlineStyle"); outline == "none" {
			t.Errorf("%s does not show that it has the focus", eval[string](p, "document.activeElement.outerHTML.slice(0, 80)"))
			break
		}
	}
	for _, id := range []string{"pause", "workers-table", "failures-table", "dead-match", "retry-all", "dead-older", "BUTTON Retry…", "dead-csv"} {
		if !reached[id] {
			t.Errorf("%s is not reached by the Tab key", id)
		}
	}
	p.calm()
}

func axText(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var text string
	_ = json.Unmarshal(v.Value, &text)
	return text
}
