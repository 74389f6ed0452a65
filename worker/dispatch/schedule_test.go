package dispatch

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// base is a worker with four slots in exec mode, all of them busy with fast items, at the given time.
func base(now time.Time) schedule {
	return schedule{slots: 4, fill: 1, most: 1, open: 1, perItem: 5 * ms, leased: now, moved: now, lastBatch: 200,
		lease: 30 * time.Second, lastCall: now}
}

func TestWantsItems(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		change func(*schedule)
		want   bool
	}{
		"fast items":                            {func(s *schedule) {}, true},
		"fast items, though some are left":      {func(s *schedule) { s.unstarted = 1 }, false},
		"fast items of which one hangs":         {func(s *schedule) { s.moved = now.Add(-stalled) }, false},
		"slow items":                            {func(s *schedule) { s.perItem = 101 * ms }, false},
		"slow batches of fast items":            {func(s *schedule) { s.fill = 100 }, false},
		"nothing measured":                      {func(s *schedule) { s.perItem = 0 }, false},
		"a slot is idle":                        {func(s *schedule) { s.idle, s.perItem = 1, time.Minute }, true},
		"a slot is idle, the queue was empty":   {func(s *schedule) { s.idle, s.leaseAgain = 1, now.Add(ms) }, false},
		"a slot is idle beside a suspect":       {func(s *schedule) { s.idle, s.exclusive = 1, true }, false},
		"all ended, to be reported":             {func(s *schedule) { s.idle, s.leaseAgain = 4, now.Add(ms) }, true},
		"nothing held, the queue was empty":     {func(s *schedule) { s.idle, s.open, s.leaseAgain = 4, 0, now.Add(ms) }, false},
		"nothing held, it is time":              {func(s *schedule) { s.idle, s.open, s.leaseAgain = 4, 0, now }, true},
		"nothing held, suspects wait for that":  {func(s *schedule) { s.idle, s.open, s.exclusive = 4, 0, true }, true},
		"a slot is idle, but the worker stops":  {func(s *schedule) { s.idle, s.stopping = 1, true }, false},
		"nothing is held, but the worker stops": {func(s *schedule) { s.idle, s.open, s.stopping = 4, 0, true }, false},
	} {
		s := base(now)
		test.change(&s)
		if got := s.wantsItems(now); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestLeaseSize(t *testing.T) {
	for name, test := range map[string]struct {
		schedule schedule
		want     int
	}{
		"the first lease is one item a slot":        {schedule{slots: 4, idle: 4, fill: 1}, 4},
		"the first lease of batches fills all":      {schedule{slots: 4, idle: 4, fill: 100}, 400},
		"slow items, as many as slots are idle":     {schedule{slots: 4, idle: 2, fill: 1, perItem: time.Minute}, 2},
		"fast items, a quarter of a second's work":  {schedule{slots: 4, fill: 1, perItem: 10 * ms, lastBatch: 100}, 100},
		"growth is limited while little is known":   {schedule{slots: 4, fill: 1, perItem: 1, lastBatch: 4}, 64},
		"no call is larger than Redis should serve": {schedule{slots: 4, fill: 1, perItem: 1, lastBatch: 1000}, maxBatch},
		"at a limited rate, what can start at once": {schedule{slots: 4, idle: 1, fill: 1, perItem: 10 * ms, lastBatch: 100, rated: true}, 1},
		"whole batches are leased ahead":            {schedule{slots: 1, fill: 20, perItem: 5 * ms, lastBatch: 20}, 40},
		"batches of slow items, one an idle slot":   {schedule{slots: 4, idle: 1, fill: 20, perItem: time.Second, lastBatch: 20}, 20},
	} {
		if got := test.schedule.leaseSize(); got != test.want {
			t.Errorf("%s: %d, not %d", name, got, test.want)
		}
	}
}

func TestChunkSize(t *testing.T) {
	for name, test := range map[string]struct {
		schedule schedule
		want     int
	}{
		"exec takes one":                           {schedule{slots: 4, idle: 4, fill: 1, most: 1, unstarted: 50}, 1},
		"stream shares among the idle slots":       {schedule{slots: 4, idle: 4, fill: 1, most: 1000, unstarted: 50}, 13},
		"stream takes no more than it can":         {schedule{slots: 4, idle: 1, fill: 1, most: 1000, unstarted: 2000}, 1000},
		"batch takes whole ones, if all slots can": {schedule{slots: 4, idle: 4, fill: 100, most: 100, unstarted: 400}, 100},
		"batch shares even a whole one":            {schedule{slots: 4, idle: 4, fill: 100, most: 100, unstarted: 100}, 25},
		"batch shares the tail":                    {schedule{slots: 4, idle: 2, fill: 100, most: 100, unstarted: 80}, 40},
		"batch does not cut the tail into crumbs":  {schedule{slots: 4, idle: 4, fill: 100, most: 100, unstarted: 60}, 25},
		"batch takes no more than there are items": {schedule{slots: 4, idle: 4, fill: 100, most: 100, unstarted: 3}, 3},
	} {
		if got := test.schedule.chunkSize(); got != test.want {
			t.Errorf("%s: %d, not %d", name, got, test.want)
		}
	}
}

func TestTogether(t *testing.T) {
	for perItem, want := range map[time.Duration]int{0: 100, ms: 100, 20 * ms: 100, 100 * ms: 20, time.Second: 2, time.Minute: 1} {
		s := schedule{fill: 100, perItem: perItem}
		if got := s.together(); got != want {
			t.Errorf("items of %v: %d, not %d", perItem, got, want)
		}
	}
}

func TestSurplus(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		change func(*schedule)
		want   int
	}{
		"nothing is left":                             {func(s *schedule) { s.unstarted, s.leased = 0, now.Add(-time.Hour) }, 0},
		"items move on":                               {func(s *schedule) {}, 0},
		"no slot took any for a while":                {func(s *schedule) { s.moved, s.leased = now.Add(-stalled), now.Add(-stalled) }, 100},
		"the slots were busy before these came":       {func(s *schedule) { s.moved = now.Add(-stalled) }, 0},
		"slots take some, and yet these wait":         {func(s *schedule) { s.leased = now.Add(-holdLimit) }, 100},
		"items turned slow: what takes over a second": {func(s *schedule) { s.perItem = 100 * ms }, 60},
		"items turned slow, but these are one batch":  {func(s *schedule) { s.perItem, s.fill = 100*ms, 100 }, 0},
	} {
		s := base(now)
		s.unstarted = 100
		test.change(&s)
		if got := s.surplus(now); got != test.want {
			t.Errorf("%s: %d, not %d", name, got, test.want)
		}
	}
}

func TestWakeTime(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		change func(*schedule)
		want   time.Duration
	}{
		"leases are renewed":                     {func(s *schedule) {}, 10 * time.Second},
		"outcomes are reported":                  {func(s *schedule) { s.unreported = now.Add(-300 * ms) }, 700 * ms},
		"urgent outcomes are reported at once":   {func(s *schedule) { s.unreported, s.urgent = now, true }, 0},
		"outcomes are reported before the end":   {func(s *schedule) { s.unreported, s.stopping = now, true }, 0},
		"an idle slot asks again":                {func(s *schedule) { s.idle, s.leaseAgain = 1, now.Add(600*ms) }, 600 * ms},
		"unstarted items go back":                {func(s *schedule) { s.unstarted = 1 }, stalled},
		"unstarted items go back, though slowly": {func(s *schedule) { s.unstarted, s.leased = 1, now.Add(-800*ms) }, 200 * ms},
		"parts of a chunk may have ended":        {func(s *schedule) { s.most = 1000 }, recallDelay},
		"a slot may be idle for what is held":    {func(s *schedule) { s.excess = true }, recallDelay},
		"nothing is due during a call":           {func(s *schedule) { s.calling, s.unreported = true, now.Add(-time.Hour) }, 30 * time.Second},
	} {
		s := base(now)
		test.change(&s)
		if got := s.wakeTime(now).Sub(now); got != test.want {
			t.Errorf("%s: %v, not %v", name, got, test.want)
		}
	}
}
