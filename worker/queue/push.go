package queue

import (
	"context"
	"crypto/rand"
	"time"
)

// pushMemory is how long Redis remembers a pusher's last call. It is longer than anybody tries to repeat one.
const pushMemory = time.Hour

// Pusher appends items to a queue. Its calls are numbered, so that a call whose reply was lost can be made again and appends
// nothing twice. It is used by one goroutine at a time.
type Pusher struct {
	queue    *Queue
	mark     string
	calls    int
	repeated bool // a copy of some call may still be on its way
}

// NewPusher returns a Pusher. It makes no call.
func (q *Queue) NewPusher() *Pusher {
	return &Pusher{queue: q, mark: q.key("push:" + rand.Text()[:16])}
}

// Push appends payloads to the queue as they are, a few thousand at most, in one call. It returns how many it has appended: a run of
// unique items takes none twice. After an error the same payloads may be pushed again with Repeat.
func (p *Pusher) Push(ctx context.Context, payloads ...string) (appended int, err error) {
	p.calls++
	return p.push(ctx, payloads)
}

// Repeat makes the last Push once more, with the same payloads. It appends nothing if the first try had its effect, for an
// hour, and returns what that has appended.
func (p *Pusher) Repeat(ctx context.Context, payloads ...string) (appended int, err error) {
	p.repeated = true
	return p.push(ctx, payloads)
}

func (p *Pusher) push(ctx context.Context, payloads []string) (int, error) {
	args := make([]any, 0, 2+len(payloads))
	args = append(args, p.calls, pushMemory.Milliseconds())
	for _, payload := range payloads {
		args = append(args, payload)
	}
	return pushScript.Run(ctx, p.queue.redis, p.queue.keys(p.mark), args...).Int()
}

// Close makes Redis forget the pusher, once its last Push has returned no error. The mark of one that had to repeat a call
// stays for an hour.
func (p *Pusher) Close(ctx context.Context) error {
	if p.repeated {
		return nil
	}
	return p.queue.redis.Unlink(ctx, p.mark).Err()
}
