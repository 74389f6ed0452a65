package handler

import "time"

// silence is the time that a process with something to answer may let pass without a word. The lock of its conversation
// guards it.
type silence struct {
	timer   *time.Timer   // nil without a limit
	perItem time.Duration // once the process has said anything
	limit   time.Duration // now
	broken  bool          // it was too long
}

// begin measures from now on. A process that is starting has longer, until its first word.
func (s *silence) begin(perItem, start time.Duration, broken func()) {
	if perItem > 0 {
		s.perItem, s.limit = perItem, max(perItem, start)
		s.timer = time.AfterFunc(s.limit, broken)
	}
}

// anew begins again: there was a word, or a first item to answer.
func (s *silence) anew() {
	if s.timer != nil {
		s.limit = s.perItem
		s.timer.Reset(s.limit)
	}
}

// pause measures no more until it begins anew: there is nothing to answer.
func (s *silence) pause() {
	if s.timer != nil {
		s.timer.Stop()
	}
}
