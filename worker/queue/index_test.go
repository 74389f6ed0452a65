package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestIndex: whatever an index holds at once, and in whatever order the records come, all of them are read by their IDs.
func TestIndex(t *testing.T) {
	for _, size := range []int{2, 3, 10, 1000} {
		records := map[string]Record{}
		var recorded []Record
		for i, id := range rand.Perm(100) {
			r := Record{Key: fmt.Sprintf("%d-%d", 1700000000000+i/7, i%7), ItemID: fmt.Sprint(id + 1)}
			if id == 50 { // an item with two records: Redis has lost the first report
				recorded = append(recorded, Record{Key: "1600000000000-4194303", ItemID: r.ItemID})
			}
			recorded = append(recorded, r)
		}
		for _, r := range recorded {
			records[r.Key] = r
		}
		x := NewIndex(len(recorded))
		x.size = size
		var read []string
		for more := true; more; x.Next() {
			for _, r := range recorded {
				if err := x.Add(r); err != nil {
					t.Fatal(err)
				}
				if len(x.entries) > size {
					t.Fatalf("an index of %d holds %d", size, len(x.entries))
				}
			}
			get := func(_ context.Context, keys []string) (found []Record, _ error) {
				for _, key := range keys {
					found = append(found, records[key])
				}
				return found, nil
			}
			err := x.Read(t.Context(), get, func(r Record) error { read = append(read, r.ItemID); return nil })
			if err != nil {
				t.Fatal(err)
			}
			more = x.More
		}
		for i, id := range read {
			want := i + 1
			if i > 50 {
				want = i
			}
			if id != fmt.Sprint(want) {
				t.Fatalf("index of %d: number %d is item %s, want %d", size, i, id, want)
			}
		}
		if len(read) != len(recorded) {
			t.Errorf("index of %d: %d of %d were read", size, len(read), len(recorded))
		}
	}
}

func TestIndexRefusesOddKeys(t *testing.T) {
	x := NewIndex(1)
	for _, key := range []string{"", "7", "x-0", "1-4194304", "4398046511104-0"} {
		if err := x.Add(Record{Key: key, ItemID: "1"}); err == nil {
			t.Errorf("the key %q is taken", key)
		}
	}
	enough := errors.New("enough")
	if err := x.Add(Record{Key: "1-0", ItemID: "1"}); err != nil {
		t.Fatal(err)
	}
	err := x.Read(t.Context(), func(context.Context, []string) ([]Record, error) { return make([]Record, 1), nil }, func(Record) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("the error of a reader becomes %v", err)
	}
}
