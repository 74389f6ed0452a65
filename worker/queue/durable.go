package queue

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// DurableTimeout is for how long it is reasonable to wait for AwaitDurable: Redis writes to its disk once a second.
const DurableTimeout = 2 * time.Second

// touch writes without changing anything, and nothing if there is no run: what was deleted must not come back.
// KEYS[1] the run's state. It replies nothing.
const touch = `if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HINCRBY', KEYS[1], 'seeded', 0) end`

// AwaitDurable waits until all that was written before is safe from the loss of the server: in its append-only file, if
// it keeps one and has WAITAOF (Redis 7.2), and on a replica, if it has one (WAIT). It returns false if that was not
// confirmed in the given time. A server that has neither, or forbids the commands, has nothing to wait for.
func (q *Queue) AwaitDurable(ctx context.Context, atMost time.Duration) (bool, error) {
	node, err := q.node(ctx)
	if err != nil {
		return false, err
	}
	// One section each: all of them together look at every client.
	facts := node.Pipeline()
	persistence, replication := facts.Info(ctx, "persistence"), facts.Info(ctx, "replication")
	_, err = facts.Exec(ctx)
	if isRefusal(err) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	info := persistence.Val() + replication.Val()
	// Both commands wait for what their own connection wrote. The log and the replicas keep the order of writes: with this
	// one, which changes nothing, all earlier ones are safe.
	pipe := node.Pipeline()
	write := pipe.Eval(ctx, touch, []string{q.key("state")})
	var waits []*redis.Cmd
	if strings.Contains(info, "aof_enabled:1\r\n") {
		waits = append(waits, pipe.Do(ctx, "WAITAOF", 1, 0, atMost.Milliseconds()))
	}
	if strings.Contains(info, "role:master\r\n") && !strings.Contains(info, "connected_slaves:0\r\n") {
		waits = append(waits, pipe.Do(ctx, "WAIT", 1, atMost.Milliseconds()))
	}
	if len(waits) == 0 {
		return true, nil
	}
	_, _ = pipe.Exec(ctx) // the errors are the commands'
	if err := write.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return false, err
	}
	durable := true
	for _, wait := range waits {
		reply, err := wait.Result()
		switch {
		case isRefusal(err):
		case err != nil:
			return false, err
		default:
			durable = durable && confirmed(reply) > 0
		}
	}
	return durable, nil
}

// confirmed returns how many servers have confirmed: WAIT replies with their number, WAITAOF with those of servers and replicas.
func confirmed(reply any) int64 {
	if numbers, ok := reply.([]any); ok && len(numbers) > 0 {
		reply = numbers[0]
	}
	n, _ := reply.(int64)
	return n
}

// node returns the server that has the queue.
func (q *Queue) node(ctx context.Context) (redis.UniversalClient, error) {
	if cluster, ok := q.redis.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, q.Name)
	}
	return q.redis, nil
}

// isRefusal reports whether err is a reply: the server does not know the command, or forbids it.
func isRefusal(err error) bool {
	_, reply := err.(redis.Error)
	return reply
}
