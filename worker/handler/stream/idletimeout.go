package stream

import "time"

// idleTimeout limits how long a program with requests in flight may write no response. The program's lock guards it.
type idleTimeout struct {
	timer   *time.Timer   // nil without a limit
	perItem time.Duration // limit from the first response on
	limit   time.Duration // current limit
	expired bool
}

// start starts the timer, with the longer limit for a program that is starting.
func (t *idleTimeout) start(perItem, start time.Duration, expire func()) {
	if perItem > 0 {
		t.perItem, t.limit = perItem, max(perItem, start)
		t.timer = time.AfterFunc(t.limit, expire)
	}
}

// restart starts the timer again: the program has responded, or was sent a request while none was in flight.
func (t *idleTimeout) restart() {
	if t.timer != nil {
		t.limit = t.perItem
		t.timer.Reset(t.limit)
	}
}

// pause stops the timer until it is restarted: no request is in flight.
func (t *idleTimeout) pause() {
	if t.timer != nil {
		t.timer.Stop()
	}
}
