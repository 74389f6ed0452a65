package browser

import (
	"fmt"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/report"
)

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
