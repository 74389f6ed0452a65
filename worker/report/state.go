package report

import "slices"

// State is how a run stands.
type State string

// The states of a run.
const (
	StateUnseeded   State = "unseeded"
	StateSeeding    State = "seeding"
	StateWaiting    State = "waiting"
	StateRunning    State = "running"
	StateBroken     State = "broken"
	StatePaused     State = "paused"
	StateOpen       State = "open"
	StateDone       State = "done"
	StateFailed     State = "failed"
	StateStopped    State = "stopped"
	StateVanished   State = "vanished"
	StateUnbalanced State = "unbalanced"
)

// Verdict is what a state means for whoever waits for the run.
type Verdict string

// The verdicts on a run, as a line of a report begins with them.
const (
	OK         Verdict = "OK"
	Failed     Verdict = "FAILED"
	Unfinished Verdict = "UNFINISHED"
)

// StateKind describes a state of a run.
type StateKind struct {
	State    State
	Meaning  string
	Verdict  Verdict
	Pausable bool // there is something that a pause holds back
}

// States has all states of a run. Reports, exit codes, the page and the API are made from it.
var States = []StateKind{
	{StateUnseeded, "there is no such queue", Failed, false},
	{StateSeeding, "its list is being read, or could not be read yet", Unfinished, false},
	{StateWaiting, "items are left, but no worker calls", Unfinished, true},
	{StateRunning, "items are left, and workers call", Unfinished, true},
	{StateBroken, "items are left, and a worker has found that it can run none of them", Failed, true},
	{StatePaused, "items are left, and workers start none of them", Unfinished, false},
	{StateOpen, "every item so far has ended, and more may come", Unfinished, true},
	{StateDone, "drained, with no more dead items than allowed", OK, false},
	{StateFailed, "drained, with too many dead items, or a dead last step", Failed, false},
	{StateStopped, "ended early: too many items are dead", Failed, false},
	{StateVanished, "the queue was there before", Failed, false},
	{StateUnbalanced, "items are missing", Failed, true},
}

// Kind describes the state.
func (s State) Kind() StateKind {
	return States[slices.IndexFunc(States, func(k StateKind) bool { return k.State == s })]
}
