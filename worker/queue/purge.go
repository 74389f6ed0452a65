package queue

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// scanCount is how many keys the server looks at in one step of a scan: well under a millisecond.
const scanCount = 1000

// Names lists the queues of a server, or of all nodes of a Cluster, in order. A list that was only ever pushed into, and
// never seeded or sealed, is not known to be a queue.
func Names(ctx context.Context, client redis.UniversalClient) ([]string, error) {
	var names []string
	const prefix, suffix = "{", "}:state"
	list := func(ctx context.Context, node redis.Cmdable) error {
		states := node.ScanType(ctx, 0, prefix+"*"+suffix, scanCount, "hash").Iterator() // a key of another type is no queue's
		for states.Next(ctx) {
			names = append(names, strings.TrimSuffix(strings.TrimPrefix(states.Val(), prefix), suffix))
		}
		return states.Err()
	}
	var err error
	if cluster, ok := client.(*redis.ClusterClient); ok {
		var one sync.Mutex // the nodes are asked at the same time
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			one.Lock()
			defer one.Unlock()
			return list(ctx, node)
		})
	} else {
		err = list(ctx, client)
	}
	slices.Sort(names)
	return slices.Compact(names), err // a scan may return a key twice
}

// Purge deletes every key of the queue, also while workers run, and returns how many there were. The state goes first: no call
// of a worker makes a key after that.
func (q *Queue) Purge(ctx context.Context) (int, error) {
	deleted, err := q.redis.Unlink(ctx, q.key("state"), q.Name).Result()
	if err != nil {
		return 0, err
	}
	var keys []string
	// The hash tag in the pattern leads to the node of a Cluster that has them.
	err = scan(ctx, q.redis, globEscape(q.prefix)+"*", func(key string) { keys = append(keys, key) })
	for some := range slices.Chunk(keys, scanCount) {
		if err != nil {
			break
		}
		var n int64
		n, err = q.redis.Unlink(ctx, some...).Result()
		deleted += n
	}
	return int(deleted), err
}

func scan(ctx context.Context, node redis.Cmdable, pattern string, each func(key string)) error {
	keys := node.Scan(ctx, 0, pattern, scanCount).Iterator()
	for keys.Next(ctx) {
		each(keys.Val())
	}
	return keys.Err()
}

func globEscape(s string) string {
	var escaped []rune
	for _, r := range s {
		switch r {
		case '*', '?', '[', ']', '\\':
			escaped = append(escaped, '\\')
		}
		escaped = append(escaped, r)
	}
	return string(escaped)
}
