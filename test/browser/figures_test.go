package browser

import (
	"fmt"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/report"
)

// TestDurationsAreTheSameEverywhere: the page writes a duration as the verbs do.
func TestDurationsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	p := newSite(t, "durations").open()
	p.awaitText("#state", "unseeded")
	for _, seconds := range []float64{0, .0004, .0006, .001, .0123, .5, .9994, .9996, 1, 1.26, 9.94, 9.96, 10, 59.6, 119.7, 120, 3599, 7199, 7200, 400_000} {
		want := report.Duration(time.Duration(seconds * float64(time.Second)))
		if got := eval[string](p, fmt.Sprintf("span(%v)", seconds)); got != want {
			t.Errorf("%v seconds are %q on the page and %q in a terminal", seconds, got, want)
		}
	}
	for rate, want := range map[float64]string{0.00042: "0.00042", 0.5: "0.5", 9.876: "9.88", 1234.5: "1,235"} {
		if got := eval[string](p, fmt.Sprintf("rate(%v)", rate)); got != want {
			t.Errorf("a rate of %v is %q, want %q", rate, got, want)
		}
	}
}
