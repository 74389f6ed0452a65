package report

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/text"
)

// Conclusion is how a run stands, and why.
type Conclusion struct {
	State State
	Text  string // in words: no capital, no full stop
}

// Line returns the conclusion as a line that begins with OK, FAILED or UNFINISHED.
func (c Conclusion) Line() string { return string(c.State.Kind().Verdict) + ": " + c.Text }

// Sentence returns the conclusion as a sentence.
func (c Conclusion) Sentence() string { return strings.ToUpper(c.Text[:1]) + c.Text[1:] + "." }

// Ended reports whether a run goes on no more: it is drained, or it was stopped early and nothing runs.
func Ended(c queue.Counts) bool {
	return c.Drained() || c.Stopped && c.Leased == 0 && !c.LastStep.Open()
}

// Conclude returns the conclusion on a run with so many dead items allowed, from one look at it.
func Conclude(c queue.Counts, maxDead queue.Portion) Conclusion { return conclude(c, maxDead, 0) }

// conclude is Conclude for a run that ends so many items per second, 0 if that is unknown.
func conclude(c queue.Counts, maxDead queue.Portion, perSecond float64) Conclusion {
	total, dead, lost := items(c.Total()), "", ""
	if c.ResultsDropped > 0 {
		lost = "; " + notKept(c)
	}
	if c.Dead > 0 {
		dead = "; " + Counted(c.Dead, "item is dead", "items are dead")
	}
	switch {
	case !c.Exists && c.SeedAttempts > 0:
		return Conclusion{StateSeeding, seeding(c)}
	case !c.Exists:
		return Conclusion{StateUnseeded, "the queue has not been seeded, or Redis lost its data"}
	case !c.Consistent():
		return Conclusion{StateUnbalanced, fmt.Sprintf("the counts do not add up: %s came in, %s are known", total, grouped(c.Open()+c.Ended()))}
	case c.Stopped && !c.LastStep.Open():
		return Conclusion{StateStopped, fmt.Sprintf("stopped early, with %s of %s dead and %s not done", grouped(c.Dead), total, grouped(c.Open())) + lost}
	case c.Drained() && c.LastStep == queue.LastStepDead:
		return Conclusion{StateFailed, part(c.Done, c.Total(), "done") + ", but the last step (finally) is dead" + lastReason(c) + lost}
	case c.Drained() && c.Dead > maxDead.Of(c.Total()):
		return Conclusion{StateFailed, part(c.Dead, c.Total(), "dead") + lost}
	case c.Drained():
		return Conclusion{StateDone, done(c)}
	case c.Paused:
		return Conclusion{StatePaused, paused(c) + dead}
	case c.Open() == 0 && !c.Sealed:
		return Conclusion{StateOpen, "every item so far has ended, but the queue is not sealed: more may come" + dead}
	case c.Broken != "" && c.Leased == 0:
		return Conclusion{StateBroken, fmt.Sprintf("no item can be run: %s (correct the command or the image with helm upgrade, which starts workers again); %s%s",
			text.Line(c.Broken, reasonShown*3), left(c), dead)}
	case forsaken(c):
		return Conclusion{StateWaiting, waiting(c) + dead}
	}
	return Conclusion{StateRunning, running(c, perSecond) + dead}
}

// seeding says how far a run is that has no items yet.
func seeding(c queue.Counts) string {
	why := ""
	if c.SeedError != "" {
		why = fmt.Sprintf("; %s to seed it failed: %s", Counted(c.SeedAttempts, "attempt", "attempts"), text.Line(c.SeedError, reasonShown))
	}
	if c.SeederTill.Before(c.Now) {
		return "the queue has not been seeded, and no worker does it now" + why
	}
	return "the queue is being seeded since " + Clock(c.Began) + why
}

// done returns the end of a run that is a success.
func done(c queue.Counts) string {
	text := fmt.Sprintf("all %s items are done", grouped(c.Total()))
	switch {
	case c.Done < c.Total():
		text = part(c.Done, c.Total(), "done")
	case c.Total() == 1:
		text = "the only item is done"
	}
	if c.Dead > 0 {
		text += ", " + Counted(c.Dead, "is", "are") + " dead as allowed"
	}
	if c.Cancelled > 0 {
		text += ", " + Counted(c.Cancelled, "was", "were") + " cancelled"
	}
	if c.Skipped > 0 {
		text += ", " + Counted(c.Skipped, "more was", "more were") + " done by an earlier run"
	}
	if c.ResultsDropped > 0 {
		text += ", but " + notKept(c)
	}
	return text
}

func notKept(c queue.Counts) string {
	return Counted(c.ResultsDropped, "result was", "results were") + " not kept"
}

func paused(c queue.Counts) string {
	switch {
	case c.Leased > 0:
		return "paused: workers start nothing new; " + Counted(c.Leased, "item is", "items are") + " still leased"
	case c.Open() == 0 && c.Sealed:
		return "paused: every item that was to run has ended, and the last step (finally) waits until you resume"
	}
	return "paused: workers start nothing until you resume; " + left(c)
}

// outOfContact is how long no worker has called Redis when something is wrong with all of them. Idle ones call every second or
// two, busy ones before their first lease expires.
const outOfContact = 10 * time.Second

// forsaken reports whether no worker works on the run: none has called for a while, and no lease still lasts.
func forsaken(c queue.Counts) bool {
	leased := c.Leased > 0 && !c.NextExpiry.Before(c.Now) || c.LastStep.Open() && !c.LastUntil.Before(c.Now)
	return c.LastCall.IsZero() || c.Now.Sub(c.LastCall) > outOfContact && !leased
}

// waiting says since when a run waits for workers.
func waiting(c queue.Counts) string {
	switch {
	case !c.LastCall.IsZero():
		return "waiting for workers since " + Clock(c.LastCall) + ", when the last one called: check that worker pods are running; " + left(c)
	case !c.Began.IsZero():
		return "waiting for workers since " + Clock(c.Began) + ": none has started yet; " + left(c)
	}
	return "waiting for workers: none has started yet; " + left(c)
}

// running says how far a run is, or why nothing moves.
func running(c queue.Counts, perSecond float64) string {
	switch {
	case c.Open() == 0, c.Stopped && c.Leased == 0:
		return "every item that was to run has ended; the last step (finally) is " + string(c.LastStep) + lastReason(c)
	case c.Ready+c.Suspects > 0 && c.Now.Sub(c.Limited) < rateNoted:
		return left(c) + duration(c, perSecond) + "; worker.rate holds items back, and allows the next one at " + Clock(c.Limited)
	case c.Leased == 0 && c.Ready+c.Suspects == 0:
		return left(c) + ", all delayed; the next is due at " + Clock(c.NextDue)
	}
	return left(c) + duration(c, perSecond)
}

// rateNoted is how long the rate counts as what holds a run back, after the time of the next item that it had allowed. Workers ask for
// items every second or two.
const rateNoted = 5 * time.Second

// duration returns how much longer a run takes, "" if that is unknown.
func duration(c queue.Counts, perSecond float64) string {
	if perSecond == 0 {
		return ""
	}
	return ", which takes about " + about(float64(c.Open())/perSecond)
}

// lastReason returns why the last step failed, if it did.
func lastReason(c queue.Counts) string {
	var a record.Attempt
	if c.LastStepRecord == "" || json.Unmarshal([]byte(c.LastStepRecord), &a) != nil {
		return ""
	}
	after := ""
	if c.LastAttempts > 0 {
		after = ", after " + Counted(c.LastAttempts, "failed attempt", "failed attempts")
	}
	return after + ": " + text.Line(a.Reason, reasonShown)
}

func left(c queue.Counts) string { return Counted(c.Open(), "item is", "items are") + " left" }

// part returns a sentence such as "1 of 9 items is dead".
func part(n, of int, what string) string {
	verb := "are"
	if n == 1 || of == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%s of %s %s %s", grouped(n), items(of), verb, what)
}

func items(n int) string { return Counted(n, "item", "items") }

// Counted returns a number with the noun, or noun and verb, that agrees with it.
func Counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// Clock returns a time of day, with the date if it is more than half a day away.
func Clock(at time.Time) string {
	at = at.UTC()
	if away := time.Since(at).Abs(); away > 12*time.Hour {
		return at.Format("2006-01-02 15:04:05 UTC")
	}
	return at.Format("15:04:05 UTC")
}

// about returns a time in seconds, as exact as a person wants to know it.
func about(seconds float64) string {
	switch {
	case seconds < 10:
		return fmt.Sprintf("%.0f s", math.Ceil(seconds))
	case seconds < 90:
		return fmt.Sprintf("%.0f s", 5*math.Ceil(seconds/5))
	case seconds < 90*60:
		return fmt.Sprintf("%.0f min", seconds/60)
	case seconds < 48*3600:
		return fmt.Sprintf("%.1f h", seconds/3600)
	}
	return fmt.Sprintf("%s days", grouped(int(seconds/86400+.5)))
}

// grouped writes a number with a comma at each thousand.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
