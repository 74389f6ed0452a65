package report

import (
	"fmt"

	"github.com/workqueue/workqueue/worker/queue"
)

// Kind is what the conclusion on a run comes to. The exit code of verify depends on it alone.
type Kind string

// The kinds of conclusion.
const (
	ConclusionOK         Kind = "ok"         // drained, with no more dead items than allowed
	ConclusionDead       Kind = "dead"       // too many items are dead: drained, or stopped early
	ConclusionVanished   Kind = "vanished"   // there is no such queue
	ConclusionUnbalanced Kind = "unbalanced" // items are missing
	ConclusionUnfinished Kind = "unfinished" // items are open, or more may come
)

// Conclusion is how a run stands, for a person and for an exit code.
type Conclusion struct {
	Kind Kind
	Text string // one line that begins with OK, FAILED or UNFINISHED
}

// Ended reports whether a run goes on no more: it is drained, or it was stopped early and nothing runs.
func Ended(c queue.Counts) bool { return c.Drained() || c.Stopped && c.Leased == 0 }

// Conclude returns the conclusion on a run with so many dead items allowed.
func Conclude(c queue.Counts, maxDead int) Conclusion {
	conclude := func(kind Kind, format string, args ...any) Conclusion {
		return Conclusion{kind, fmt.Sprintf(format, args...)}
	}
	switch {
	case !c.Exists:
		return conclude(ConclusionVanished, "FAILED: the queue does not exist: it was never seeded, or Redis lost its data")
	case !c.Consistent():
		return conclude(ConclusionUnbalanced, "FAILED: the accounts do not balance: %d items came in, %d are known", c.Total(), c.Open()+c.Dead+c.Done)
	case c.Stopped:
		return conclude(ConclusionDead, "FAILED: stopped early, with %d of %d items dead and %d not done", c.Dead, c.Total(), c.Open())
	case c.Dead > maxDead:
		return conclude(ConclusionDead, "FAILED: %d of %d items are dead", c.Dead, c.Total())
	case !c.Drained() && c.Open() == 0:
		return conclude(ConclusionUnfinished, "UNFINISHED: every item so far is done, but the queue is not sealed: more may come")
	case !c.Drained():
		return conclude(ConclusionUnfinished, "UNFINISHED: %d of %d items are still open", c.Open(), c.Total())
	case c.Dead > 0:
		return conclude(ConclusionOK, "OK: %d of %d items are done, %d are dead as allowed", c.Done, c.Total(), c.Dead)
	}
	return conclude(ConclusionOK, "OK: all %d items are done", c.Total())
}
