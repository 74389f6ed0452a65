package dispatch

import (
	"context"
	"strings"
	"testing"

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
				budget := textBudget{texts: queue.MaxTexts, bytes: queue.MaxTextBytes}
				r := b.report(&budget)
				last := call == len(test.calls)-1
				done := 0
				if call == 0 {
					done = 1
				}
				if len(r.Outcomes) != want || r.Release != last || r.Done != done || r.Before != before || (r.Finished == nil) != last {
					t.Fatalf("call %d: %d outcomes, release %v, done %d, before %d", call, len(r.Outcomes), r.Release, r.Done, r.Before)
				}
				before += len(r.Outcomes) + r.Done
				if b.reported() != last || budget.exceeded == last {
					t.Fatalf("call %d: budget exceeded: %v", call, budget.exceeded)
				}
			}
		})
	}
}
