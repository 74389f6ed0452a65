package queue

import (
	"context"
	"errors"
	"fmt"
)

// ErrCancelling is returned when somebody else cancels items of the queue at the same time.
var ErrCancelling = errors.New("somebody else is cancelling items of this queue: wait for the end of that, and try again")

const (
	cancelItems = 500       // that one call of cancel.lua reads
	cancelBytes = 256 << 10 // payload bytes of them, about
)

// Cancel takes the waiting items out of the queue whose payloads match. Items that workers have go on. The history keeps
// what the cap allows. After an error some may be cancelled, and the order of the others may be another one.
func (q *Queue) Cancel(ctx context.Context, match func(payload string) bool, history Cap) error {
	// From the list first: workers lease from it, and what they return afterwards is delayed.
	if err := q.cancelReady(ctx, match, history); err != nil {
		return err
	}
	return q.cancelEnvelopes(ctx, match, history)
}

// cancelReady moves the list from its head to its end, once.
func (q *Queue) cancelReady(ctx context.Context, match func(string) bool, history Cap) error {
	var first page
	rotated := -1 // by the last call, this one's
	for {
		now, err := q.readPage(ctx)
		switch {
		case err != nil:
			return err
		case now.unjoined > 0:
			continue
		case rotated >= 0 && now.rotated != rotated:
			return ErrCancelling
		case rotated < 0:
			first = now
		}
		left := first.length - (now.taken - first.taken) - (now.rotated - first.rotated)
		items := now.items[:max(min(len(now.items), left), 0)]
		if len(items) == 0 {
			return nil
		}
		args := []any{"rotate", history.String(), len(items), now.taken, now.rotated}
		for _, payload := range items {
			if match(payload) {
				args = append(args, fingerprint(payload))
			}
		}
		if rotated, err = q.cancel(ctx, args...); err != nil {
			return err
		}
	}
}

// page is the first items of the list of ready items.
type page struct {
	length, taken, rotated, unjoined int
	items                            []string
}

func (q *Queue) readPage(ctx context.Context) (page, error) {
	reply, err := cancelScript.Run(ctx, q.redis, q.keys(), "read", cancelItems, cancelBytes).Slice()
	if err != nil {
		return page{}, err
	}
	var numbers [4]int
	if len(reply) != len(numbers)+1 {
		return page{}, fmt.Errorf("reply of cancel.lua: %v", reply)
	}
	for i := range numbers {
		n, _ := reply[i].(int64)
		numbers[i] = int(n)
	}
	p := page{length: numbers[0], taken: numbers[1], rotated: numbers[2], unjoined: numbers[3]}
	if p.length < 0 {
		return page{}, ErrVanished
	}
	list, _ := reply[len(numbers)].([]any)
	for _, item := range list {
		p.items = append(p.items, fmt.Sprint(item))
	}
	return p, nil
}

// cancelEnvelopes cancels items that were leased before: delayed ones and suspects.
func (q *Queue) cancelEnvelopes(ctx context.Context, match func(string) bool, history Cap) error {
	var members []any
	flush := func() error {
		if len(members) == 0 {
			return nil
		}
		_, err := q.cancel(ctx, append([]any{"envelope", history.String()}, members...)...)
		members = members[:0]
		return err
	}
	each := func(envelope string) error {
		item, err := parseEnvelope(envelope)
		if err != nil || !match(item.Payload) {
			return err
		}
		if members = append(members, envelope); len(members) < cancelItems/10 {
			return nil
		}
		return flush()
	}
	suspects, err := q.redis.LRange(ctx, q.key("suspects"), 0, -1).Result()
	if err != nil {
		return err
	}
	for _, envelope := range suspects {
		if err := each(envelope); err != nil {
			return err
		}
	}
	delayed := q.redis.ZScan(ctx, q.key("delayed"), 0, "", cancelItems).Iterator()
	for member := true; delayed.Next(ctx); member = !member { // each is followed by its score
		if !member {
			continue
		}
		if err := each(delayed.Val()); err != nil {
			return err
		}
	}
	return errors.Join(delayed.Err(), flush())
}

func (q *Queue) cancel(ctx context.Context, args ...any) (rotated int, err error) {
	rotated, err = cancelScript.Run(ctx, q.redis, q.keys(), args...).Int()
	if err == nil && rotated < 0 {
		return 0, ErrCancelling
	}
	return rotated, err
}
