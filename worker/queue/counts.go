package queue

import (
	"context"
	"strconv"
	"time"
)

// Counts is what a queue holds at one instant of Redis's clock. It outlives the records of single items.
type Counts struct {
	Exists  bool // the queue was seeded or sealed
	Sealed  bool // nothing more will come
	Paused  bool // nothing is leased until somebody resumes
	Stopped bool // too many are dead: nothing more is leased to the workers that work on it now

	// Items by state, see ItemStates.
	Ready, Leased, Delayed, Suspects, Done, Dead, Cancelled int

	Seeded         int // put in by seeding
	SeedAttempts   int // at seeding a queue that is not seeded yet
	Failed         int // failed attempts that were followed by another
	Snoozed        int // times a program asked for "later"
	Returned       int // items given back without an attempt
	Expired        int // leases that ran out
	Revived        int // dead letters that were put back
	Skipped        int // items that seeds left out, because an earlier run had done them
	ResultsDropped int // results beyond the cap
	HistoryDropped int // entries of the history beyond the cap
	Taken          int // items leased for the first time

	LastStep       LastStepState
	LastAttempts   int    // failed attempts of the last step
	LastStepRecord string // of the last of them, JSON

	Broken    string // why a worker could run no item, "" if none has said so or another has ended an attempt since
	SeedError string // of the last failed attempt at seeding a queue that is not seeded yet

	Now        time.Time // Redis's clock
	Began      time.Time // first attempt to seed the queue, zero if nobody has tried
	SeederTill time.Time // when the lease of its seeder expires, or the next attempt may be made; zero if it is seeded
	Started    time.Time // first lease, zero before
	Finished   time.Time // drained, zero before
	StoppedAt  time.Time // last report of a worker to a run that was stopped early, zero if it was not
	LastCall   time.Time // of any worker, to half a second; zero before the first
	LastUntil  time.Time // when the lease of the last step expires, or its next attempt is due; zero if it was never leased
	NextDue    time.Time // when the first delayed item is due, zero if none is delayed
	Limited    time.Time // when the rate allows another item, zero if it never held one back
	NextExpiry time.Time // when the first lease expires unless it is renewed, zero if nothing is leased
}

// Total is the number of items that were ever put in.
func (c Counts) Total() int { return c.Taken + c.Ready }

// Pushed is the number of items that came by other ways than seeding.
func (c Counts) Pushed() int { return c.Total() - c.Seeded }

// Open is the number of items that are neither done nor dead nor cancelled.
func (c Counts) Open() int { return sum(&c, false) }

// Ended is the number of items that are done, dead or cancelled.
func (c Counts) Ended() int { return sum(&c, true) }

// Drained reports whether the run is over: every item is done, dead or cancelled, no more will come, and no last step is left to run.
func (c Counts) Drained() bool {
	return c.Sealed && c.Open() == 0 && (!c.LastStep.Open() || !c.Finished.IsZero())
}

// Consistent reports whether every item that was ever put in is accounted for.
func (c Counts) Consistent() bool { return c.Total() == c.Open()+c.Ended() && c.Pushed() >= 0 }

// Counts reads all counts in one atomic call.
func (q *Queue) Counts(ctx context.Context) (Counts, error) {
	reply, err := countsScript.Run(ctx, q.redis, q.keys()).StringSlice()
	if err != nil {
		return Counts{}, err
	}
	return parseCounts(reply), nil
}

// parseCounts reads the name and value pairs of counts.lua. What is not a number counts as 0.
func parseCounts(pairs []string) Counts {
	values, texts := make(map[string]int, len(pairs)/2), map[string]string{}
	exists := false
	for i := 0; i+1 < len(pairs); i += 2 {
		exists = exists || pairs[i] == "epoch"
		texts[pairs[i]] = pairs[i+1]
		values[pairs[i]], _ = strconv.Atoi(pairs[i+1])
	}
	at := func(name string) time.Time {
		if values[name] == 0 {
			return time.Time{}
		}
		return time.UnixMilli(int64(values[name]))
	}
	counts := Counts{
		Exists: exists, Sealed: values["sealed"] == 1, Stopped: values["stopped"] == 1, Paused: values["paused"] == 1,
		Seeded: values["seeded"], Failed: values["failed"], Snoozed: values["snoozed"], Returned: values["returned"], Expired: values["expired"],
		Revived: values["revived"], Skipped: values["skipped"],
		ResultsDropped: values["results_dropped"], HistoryDropped: values["history_dropped"], Taken: values["taken"],
		LastStep: LastStepState(texts["last_step"]), LastAttempts: values["last_attempts"], LastStepRecord: texts["last_record"],
		SeedAttempts: values["seed_attempts"], SeedError: texts["seed_error"], Broken: texts["broken"],
		Now: at("now"), Began: at("began_at"), SeederTill: at("seeder_until"), Started: at("started_at"), Finished: at("finished_at"), StoppedAt: at("stopped_at"),
		LastCall: at("last_call"), LastUntil: at("last_until"),
		NextDue: at("next_due"), NextExpiry: at("next_expiry"), Limited: at("limited_until"),
	}
	for _, state := range ItemStates {
		*state.count(&counts) = values[state.Name]
	}
	return counts
}
