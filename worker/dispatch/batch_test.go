package dispatch

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/workqueue/workqueue/worker/queue"
)

// TestTextsAreSpread reports a batch of dead items: no call has too many of them, and only the last one releases the batch.
func TestTextsAreSpread(t *testing.T) {
	for name, test := range map[string]struct {
		items, text int
		calls       []int // outcomes in each
	}{
		"many texts":       {250, 10, []int{queue.MaxTexts, queue.MaxTexts, 250 - 2*queue.MaxTexts}},
		"long texts":       {5, queue.MaxTextBytes / 2, []int{2, 2, 1}},
		"texts too long":   {2, 2 * queue.MaxTextBytes, []int{1, 1}},
		"a part is enough": {queue.MaxTexts, 10, []int{queue.MaxTexts}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBatch(context.Background(), &queue.Batch{Items: make([]queue.Item, test.items+1)})
			b.finish(test.items, nil) // one is done
			for i := range test.items {
				b.finish(i, &queue.ItemOutcome{Outcome: queue.OutcomeDead, Text: strings.Repeat("x", test.text)})
			}
			before := 0
			for call, want := range test.calls {
				budget := newTextBudget()
				r := b.report(budget)
				last := call == len(test.calls)-1
				done := 0
				if call == 0 {
					done = 1
				}
				if len(r.Outcomes) != want || r.Release != last || r.Done != done || r.Before != before || (r.Finished == nil) != last {
					t.Fatalf("call %d: %d outcomes, release %v, done %d, before %d", call, len(r.Outcomes), r.Release, r.Done, r.Before)
				}
				before += len(r.Outcomes) + r.Done
				b.reported()
				if b.released() != last || budget.exceeded == last {
					t.Fatalf("call %d: budget exceeded: %v", call, budget.exceeded)
				}
			}
		})
	}
}

// TestReports lets items end in any order, with all kinds of outcomes, while calls report them to a queue that forgets now and then.
// In the end the queue has each outcome, and has counted it once.
func TestReports(t *testing.T) {
	type state struct {
		settled map[int]queue.Outcome // by position
		done    int
		known   map[string]bool
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 400).Draw(t, "items")
		items := make([]queue.Item, n)
		for i := range items {
			items[i].Payload = fmt.Sprint(i)
		}
		b := newBatch(context.Background(), &queue.Batch{Items: items})
		b.remember = rapid.Bool().Draw(t, "remember")
		truth := map[int]queue.Outcome{}
		var order []int
		for i := range n {
			order = append(order, i)
		}
		order = rapid.Permutation(order).Draw(t, "order")
		now := state{settled: map[int]queue.Outcome{}, known: map[string]bool{}}
		copyOf := func(s state) state { return state{maps.Clone(s.settled), s.done, maps.Clone(s.known)} }
		saved := copyOf(now)
		for calls := 0; !b.released(); calls++ {
			if calls > 100+n {
				t.Fatalf("%d calls, and %d of %d items are settled", calls, len(now.settled), n)
			}
			for range rapid.IntRange(0, len(order)).Draw(t, "ended") {
				i := order[0]
				order = order[1:]
				kind := rapid.SampledFrom([]queue.Outcome{"", queue.OutcomeDone, queue.OutcomeFailed, queue.OutcomeDead, queue.OutcomeReturned}).Draw(t, "outcome")
				if truth[i] = kind; kind == "" {
					truth[i] = queue.OutcomeDone
					b.finish(i, nil)
					continue
				}
				o := &queue.ItemOutcome{Outcome: kind}
				if kind == queue.OutcomeDone || kind == queue.OutcomeDead {
					o.Text = "text"
				}
				b.finish(i, o)
			}
			r := b.report(newTextBudget())
			if calls < 100 && rapid.IntRange(0, 9).Draw(t, "forgets") == 0 {
				now = copyOf(saved)
			}
			if r.Before != len(now.settled) {
				bitmap := make([]byte, (n+7)/8)
				for i := range now.settled {
					bitmap[i/8] |= 1 << (i % 8)
				}
				b.rollBack(bitmap)
				continue
			}
			texts := 0
			for _, o := range r.Outcomes {
				if o.Text != "" {
					texts++
				}
				if _, twice := now.settled[o.Position]; twice {
					t.Fatalf("item %d was reported twice", o.Position)
				}
				now.settled[o.Position] = o.Outcome
			}
			if texts > queue.MaxTexts {
				t.Fatalf("%d texts in a call", texts)
			}
			now.done += r.Done
			for i := range n {
				if _, has := now.settled[i]; !has && (r.Release || b.has(append(r.Finished, b.sent[len(r.Finished):]...), i)) {
					now.settled[i] = queue.OutcomeDone
				}
			}
			for _, payload := range r.Known {
				now.known[payload] = true
			}
			b.reported()
			if rapid.IntRange(0, 4).Draw(t, "saves") == 0 {
				saved = copyOf(now)
			}
		}
		done := 0
		for i, want := range truth {
			if now.settled[i] != want {
				t.Fatalf("item %d is %q in the queue, not %q", i, now.settled[i], want)
			}
			if want == queue.OutcomeDone {
				done++
			}
			if b.remember && now.known[fmt.Sprint(i)] != (want == queue.OutcomeDone) {
				t.Fatalf("item %d, which is %s: known: %v", i, want, now.known[fmt.Sprint(i)])
			}
		}
		if len(truth) != n || now.done != done {
			t.Fatalf("%d of %d items; the queue counts %d done, not %d", len(truth), n, now.done, done)
		}
	})
}
