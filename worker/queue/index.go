package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// indexSize is how many records an index holds, in 16 MiB.
const indexSize = 1 << 20

// A stream's key is milliseconds and a sequence number. Both fit into 64 bits until the year 2109.
const sequenceBits = 22

// Index finds records by the IDs of their items. If there are more than it holds, it holds those with the lowest IDs.
type Index struct {
	size    int
	after   indexEntry // the last one of the index before
	entries []indexEntry
	limit   indexEntry // the last one that is wanted, if some were left out
	More    bool       // some were left out
}

type indexEntry struct{ item, key uint64 }

func (a indexEntry) compare(b indexEntry) int {
	return cmp.Or(cmp.Compare(a.item, b.item), cmp.Compare(a.key, b.key))
}

// NewIndex returns an empty index for so many records.
func NewIndex(records int) *Index {
	return &Index{size: indexSize, entries: make([]indexEntry, 0, min(records, indexSize))}
}

// Add takes in a record. The error is for one whose key is not one of a stream as Redis makes them.
func (x *Index) Add(r Record) error {
	ms, sequence, _ := strings.Cut(r.Key, "-")
	high, err1 := strconv.ParseUint(ms, 10, 64-sequenceBits)
	low, err2 := strconv.ParseUint(sequence, 10, sequenceBits)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("the record with the key %q cannot be sorted", r.Key)
	}
	item, _ := strconv.ParseUint(r.ItemID, 10, 64)
	one := indexEntry{item, high<<sequenceBits | low}
	if one.compare(x.after) <= 0 || x.More && one.compare(x.limit) > 0 {
		return nil
	}
	if len(x.entries) == x.size {
		x.sort()
		x.entries, x.More = x.entries[:x.size/2], true
		x.limit = x.entries[x.size/2-1]
		return x.Add(r)
	}
	x.entries = append(x.entries, one)
	return nil
}

func (x *Index) sort() { slices.SortFunc(x.entries, indexEntry.compare) }

// Next makes the index ready for the records with higher IDs than those that it holds.
func (x *Index) Next() {
	x.after = x.limit
	x.entries, x.More = x.entries[:0], false
}

// Read calls get with the keys of some of the records, in the order of their items' IDs, until all were read. It returns the
// first error. What get returns decides how many it gets the next time.
func (x *Index) Read(ctx context.Context, get func(ctx context.Context, keys []string) ([]Record, error), each func(Record) error) error {
	x.sort()
	for left, size := x.entries, firstPage; len(left) > 0; {
		some := left[:min(size, len(left))]
		left = left[len(some):]
		keys := make([]string, len(some))
		for i, one := range some {
			keys[i] = fmt.Sprintf("%d-%d", one.key>>sequenceBits, one.key&(1<<sequenceBits-1))
		}
		records, err := get(ctx, keys)
		if err != nil {
			return err
		}
		bytes := 0
		for _, r := range records {
			if err := each(r); err != nil {
				return err
			}
			bytes += r.size()
		}
		size = nextPage(len(some), bytes)
	}
	return nil
}
