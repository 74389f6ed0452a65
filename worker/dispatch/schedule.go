package dispatch

import "time"

const (
	lead        = 250 * time.Millisecond // work that is leased before a slot is free for it
	stalled     = 250 * time.Millisecond // without any item started, after which leased items go back
	holdLimit   = time.Second            // longest time for which a leased item waits for a slot
	reportDelay = time.Second            // longest time for which an outcome waits for the next call
	reportTime  = reportDelay / 2        // longest time that it may take to report all that is leased
	recallDelay = 500 * time.Millisecond // between two calls that ask whether a slot is idle
	fillLimit   = 2 * time.Second        // of work, up to which a slot's fill is kept together
	slowChunk   = 100 * time.Millisecond // of work, against which the time of a call does not count
	maxBatch    = 2000                   // items in one batch: a call then takes Redis less than a millisecond
	maxGrowth   = 16                     // how much larger than the last batch the next may be
)

// schedule is what a worker's decisions depend on. Its methods decide and change nothing. Leasing ahead must never cost the
// tail: what a worker has leased and cannot start soon goes back to the queue.
type schedule struct {
	slots, idle int  // all of them, and those that run nothing
	fill        int  // items that one slot should take at once, if there are so many
	most        int  // items that one slot can take at once
	rated       bool // the rate is limited: what is leased should start at once

	open      int           // batches that are held
	unstarted int           // leased items that no slot has taken
	leased    time.Time     // when they were leased
	moved     time.Time     // when a slot last took items
	perItem   time.Duration // estimate of how long a slot takes for an item, 0 before the first measurement
	lastBatch int           // size of the last batch that was wanted

	stopping   bool          // lease nothing any more
	exclusive  bool          // a suspect runs, or this worker should make itself free for one: lease nothing beside
	leaseAgain time.Time     // after a reply without items: lease nothing before this time
	lease      time.Duration // for which a call renews the leases
	calling    bool          // a call is being made: there is one at a time
	lastCall   time.Time
	unreported time.Time     // since when there are outcomes that were not reported, zero without any
	urgent     bool          // they must be reported at once
	withheld   bool          // the last call had no room for all of them: lease nothing until one has
	unsettled  int           // leased items whose outcome the queue did not have after the last call
	perOutcome time.Duration // estimate of what a call takes for an outcome if it is full of them, 0 before the first measurement
	excess     bool          // the handler holds items for which a slot may be idle somewhere
}

// wantsItems reports whether more items should be leased now.
func (s *schedule) wantsItems(now time.Time) bool {
	switch {
	case s.stopping || s.withheld || s.unstarted > 0:
		return false
	case s.idle == s.slots: // nothing runs; if something is held, to report its end may end the run
		return s.open > 0 || !now.Before(s.leaseAgain)
	case s.exclusive || now.Before(s.leaseAgain):
		return false
	}
	return s.idle > 0 || !s.rated && s.fast() && now.Sub(s.moved) < stalled
}

// fast reports whether leasing ahead gains anything: the time of a call counts beside that of the items.
func (s *schedule) fast() bool {
	return s.perItem > 0 && time.Duration(s.fill)*s.perItem <= slowChunk
}

// together returns how many items are worth keeping together for one slot. The more work a fill is, the less the start of
// another process counts, and the longer its last item waits.
func (s *schedule) together() int {
	if s.perItem == 0 {
		return s.fill
	}
	return max(1, min(s.fill, int(fillLimit/s.perItem)))
}

// leaseSize returns how many items to lease.
func (s *schedule) leaseSize() int {
	n := s.idle * s.fill
	if s.perItem > 0 && !s.rated {
		ahead := int(time.Duration(s.slots) * lead / s.perItem)
		n = max(n, ahead/s.fill*s.fill)
	}
	if s.perOutcome > 0 {
		n = min(n, int(reportTime/s.perOutcome)-s.unsettled)
	}
	return max(1, min(n, maxBatch, maxGrowth*max(s.lastBatch, s.slots*s.fill)))
}

// chunkSize returns how many of the unstarted items the next idle slot takes: an equal share, but enough to be worth a
// process of the batch mode.
func (s *schedule) chunkSize() int {
	least := (s.together() + 3) / 4
	share := (s.unstarted + s.idle - 1) / s.idle
	return min(max(share, least), s.most, s.unstarted)
}

// surplus returns how many of the unstarted items should go back to the queue now.
func (s *schedule) surplus(now time.Time) int {
	switch {
	case s.unstarted == 0:
		return 0
	case !now.Before(s.returnTime()):
		return s.unstarted
	case s.perItem == 0:
		return 0
	}
	return max(0, s.unstarted-max(s.fill, int(time.Duration(s.slots)*holdLimit/s.perItem)))
}

// returnTime is when the unstarted items go back if no slot takes them before.
func (s *schedule) returnTime() time.Time {
	return earlier(s.leased.Add(holdLimit), later(s.leased, s.moved).Add(stalled))
}

// callTime is when the queue must be called, if nothing happens before.
func (s *schedule) callTime() time.Time {
	next := s.lastCall.Add(s.lease / 3)
	if !s.unreported.IsZero() {
		delay := reportDelay
		if s.stopping || s.urgent {
			delay = 0
		}
		next = earlier(next, s.unreported.Add(delay))
	}
	if !s.stopping && !s.exclusive && s.idle > 0 && s.unstarted == 0 {
		next = earlier(next, s.leaseAgain)
	}
	if s.excess {
		next = earlier(next, s.lastCall.Add(recallDelay))
	}
	return next
}

// wakeTime is when something must be decided again, if nothing happens before. Items that run may have ended meanwhile.
func (s *schedule) wakeTime(now time.Time) time.Time {
	wake := now.Add(s.lease)
	if !s.calling {
		wake = s.callTime()
	}
	if s.unstarted > 0 {
		wake = earlier(wake, s.returnTime())
	}
	if s.most > 1 && s.idle < s.slots {
		wake = earlier(wake, now.Add(recallDelay))
	}
	return wake
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
