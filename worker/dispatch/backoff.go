package dispatch

import (
	"math/rand/v2"
	"time"
)

// Backoff is the delay before another attempt.
type Backoff struct {
	First time.Duration // before the second attempt
	Max   time.Duration
}

// Delay returns how long to wait after the given number of failed attempts: doubled for each, and spread over the upper
// half of that time so that items which failed together do not come back together ("equal jitter",
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
func (b Backoff) Delay(failed int) time.Duration {
	delay := b.First
	for i := 1; i < failed && delay < b.Max; i++ {
		delay *= 2
	}
	delay = min(delay, b.Max)
	if delay <= 1 {
		return delay
	}
	return delay/2 + rand.N(delay/2+1)
}
