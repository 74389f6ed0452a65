package pace_test

import (
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/pace"
)

func TestAfter(t *testing.T) {
	estimate := pace.After(0, 1, time.Second)
	if estimate != time.Second {
		t.Errorf("the first measurement: %v", estimate)
	}
	for range 3 {
		estimate = pace.After(estimate, 1, 10*time.Millisecond)
	}
	if estimate < 500*time.Millisecond {
		t.Errorf("three fast items and it is %v: the next one may be slow", estimate)
	}
	if estimate = pace.After(estimate, 100, 100*10*time.Millisecond); estimate != 10*time.Millisecond {
		t.Errorf("a hundred fast items and it is %v", estimate)
	}
	if estimate = pace.After(estimate, 1, time.Second); estimate < 200*time.Millisecond {
		t.Errorf("one slow item and it is %v", estimate)
	}
}
