package queue

import (
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/redistest"
)

// TestSlowSource: however slowly items come, what was staged is kept; and what was staged in vain is deleted at once.
func TestSlowSource(t *testing.T) {
	defer func(before time.Duration) { stagingExpiry = before }(stagingExpiry)
	stagingExpiry = 400 * time.Millisecond
	client := redistest.Start(t).Client()
	defer client.Close()
	q := New(client, "job2")
	for _, publish := range []bool{false, true} {
		seeder := q.NewSeeder("slow")
		if err := seeder.Add(t.Context(), "apple"); err != nil {
			t.Fatal(err)
		}
		if err := seeder.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * stagingExpiry)
		if publish {
			if published, n, err := seeder.Publish(t.Context(), true); !published || n != 1 || err != nil {
				t.Errorf("published %v, %d items, %v", published, n, err)
			}
		}
		if err := seeder.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if keys := client.Keys(t.Context(), "*").Val(); !publish && len(keys) > 0 {
			t.Errorf("a seed that failed leaves %v", keys)
		}
	}
	if n := client.LLen(t.Context(), "job2").Val(); n != 1 {
		t.Errorf("%d items in the queue, want 1", n)
	}
}
