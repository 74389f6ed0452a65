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

// State is how a run stands.
type State string

// The states of a run.
const (
	StateUnseeded   State = "unseeded"   // there is no such queue
	StateSeeding    State = "seeding"    // a worker seeds it, or will try again
	StateVanished   State = "vanished"   // there was one
	StateUnbalanced State = "unbalanced" // items are missing
	StateRunning    State = "running"    // items are left
	StatePaused     State = "paused"     // items are left, and workers start none of them
	StateOpen       State = "open"       // no items are left, but more may come
	StateStopped    State = "stopped"    // ended early: too many items are dead
	StateFailed     State = "failed"     // drained, with more dead items than allowed
	StateDone       State = "done"       // drained, with no more dead items than allowed
)

// Conclusion is how a run stands, and why.
type Conclusion struct {
	State State
	Text  string // in words: no capital, no full stop
}

// Line returns the conclusion as a line that begins with OK, FAILED or UNFINISHED.
func (c Conclusion) Line() string {
	switch c.State {
	case StateDone:
		return "OK: " + c.Text
	case StateSeeding, StateRunning, StatePaused, StateOpen:
		return "UNFINISHED: " + c.Text
	}
	return "FAILED: " + c.Text
}

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
	total, dead := items(c.Total()), ""
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
		return Conclusion{StateStopped, fmt.Sprintf("stopped early, with %s of %s dead and %s not done", grouped(c.Dead), total, grouped(c.Open()))}
	case c.Drained() && c.LastStep == queue.LastStepDead:
		return Conclusion{StateFailed, fmt.Sprintf("%s of %s are done, but the last step (finally) is dead%s", grouped(c.Done), total, lastReason(c))}
	case c.Drained() && c.Dead > maxDead.Of(c.Total()):
		return Conclusion{StateFailed, fmt.Sprintf("%s of %s are dead", grouped(c.Dead), total)}
	case c.Drained():
		return Conclusion{StateDone, done(c)}
	case c.Paused:
		return Conclusion{StatePaused, paused(c) + dead}
	case c.Open() == 0 && !c.Sealed:
		return Conclusion{StateOpen, "every item so far has ended, but the queue is not sealed: more may come" + dead}
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
		text = fmt.Sprintf("%s of %s items are done", grouped(c.Done), grouped(c.Total()))
	case c.Total() == 1:
		text = "the only item is done"
	}
	if c.Dead > 0 {
		text += fmt.Sprintf(", %s are dead as allowed", grouped(c.Dead))
	}
	if c.Cancelled > 0 {
		text += ", " + Counted(c.Cancelled, "was", "were") + " cancelled"
	}
	if c.Skipped > 0 {
		text += ", " + Counted(c.Skipped, "more was", "more were") + " done by an earlier run"
	}
	return text
}

func paused(c queue.Counts) string {
	if c.Leased > 0 {
		return "paused: workers start nothing new; " + Counted(c.Leased, "item is", "items are") + " still running"
	}
	return "paused: workers start nothing until you resume; " + left(c)
}

// outOfContact is how long no worker has called Redis when something is wrong with all of them. Idle ones call every second or
// two, busy ones before their first lease expires.
const outOfContact = 10 * time.Second

// running says how far a run is, or why nothing moves.
func running(c queue.Counts, perSecond float64) string {
	switch {
	case c.Open() == 0, c.Stopped && c.Leased == 0:
		return "every item that was to run has ended; the last step (finally) is " + string(c.LastStep) + lastReason(c)
	case c.LastCall.IsZero():
		return left(c) + "; no worker has started yet"
	case c.Now.Sub(c.LastCall) > outOfContact && (c.Leased == 0 || c.NextExpiry.Before(c.Now)):
		return left(c) + ", but no worker has called since " + Clock(c.LastCall) + ": check that worker pods are running"
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
	return fmt.Sprintf(", after %s: %s", Counted(c.LastAttempts, "failed attempt", "failed attempts"), text.Line(a.Reason, reasonShown))
}

func left(c queue.Counts) string { return Counted(c.Open(), "item is", "items are") + " left" }

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
