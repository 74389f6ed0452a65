package queue

import "context"

// LatestResults calls each for every result that was kept, latest first, until it returns false. With a key it starts after
// the result of that key.
func (q *Queue) LatestResults(ctx context.Context, before string, each func(Record) bool) error {
	from := "+"
	if before != "" {
		from = "(" + before
	}
	return q.records(ctx, "results", from, "-", q.redis.XRevRangeN, each)
}
