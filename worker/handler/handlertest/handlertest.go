// Package handlertest calls handlers in tests.
package handlertest

import (
	"context"
	"fmt"
	"sync"

	"github.com/workqueue/workqueue/worker/queue"
)

// handler is a handler.Handler whose attempts are of type A. The tests of package handler itself use it, so it cannot be imported here.
type handler[A any] interface {
	Handle(ctx context.Context, items []queue.Item, report func(position int, attempt A))
}

// Handle returns what a call of h.Handle reports, and panics if that is not once for each item.
func Handle[A any](ctx context.Context, h handler[A], items []queue.Item) []A {
	var mu sync.Mutex
	attempts := make([]A, len(items))
	reports := make([]int, len(items))
	h.Handle(ctx, items, func(position int, attempt A) {
		mu.Lock()
		defer mu.Unlock()
		attempts[position] = attempt
		reports[position]++
	})
	mu.Lock()
	defer mu.Unlock()
	for i, n := range reports {
		if n != 1 {
			panic(fmt.Sprintf("item %s was reported %d times", items[i].ID, n))
		}
	}
	return attempts
}
