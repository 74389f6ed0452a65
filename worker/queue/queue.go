// Package queue is a finite work queue on Redis. A batch of items is the unit of leasing, an item is the unit of
// accounting: at every instant
//
//	seeded + pushed = ready + leased + delayed + suspects + dead + done + cancelled
//
// The waiting items are a plain list of raw payloads under the queue's own name, which anyone may fill with RPUSH and
// read with LRANGE; all else lives beside it under "{name}:". The file keys.lua lists the keys.
//
// An item whose worker dies is leased again once the lease has expired by Redis's clock. Items are therefore run at
// least once, and counted exactly once.
package queue

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed *.lua
var sources embed.FS

func script(file string) *redis.Script {
	keys, err1 := sources.ReadFile("keys.lua")
	source, err2 := sources.ReadFile(file)
	if err := errors.Join(err1, err2); err != nil {
		panic(err) // the files are part of the binary
	}
	return redis.NewScript(string(keys) + string(source))
}

var (
	cancelScript   = script("cancel.lua")
	countsScript   = script("counts.lua")
	exchangeScript = script("exchange.lua")
	lastStepScript = script("laststep.lua")
	leaveScript    = script("leave.lua")
	pauseScript    = script("pause.lua")
	publishScript  = script("publish.lua")
	pushScript     = script("push.lua")
	retryScript    = script("retry.lua")
	runningScript  = script("running.lua")
	seedingScript  = script("seeding.lua")
)

// ErrVanished is returned when the queue's state is gone or is another run's: Redis lost its data, or was replaced.
var ErrVanished = errors.New("the queue's state has vanished: Redis lost its data or was replaced")

// Queue is a named queue on a Redis server. It is safe for concurrent use and holds no state of its own.
type Queue struct {
	Name   string
	redis  redis.UniversalClient
	prefix string
}

// New names a queue on a server. It does not connect to the server.
func New(client redis.UniversalClient, name string) *Queue {
	return &Queue{Name: name, redis: client, prefix: "{" + name + "}:"}
}

// key returns the name of one of the keys beside the list. The braces put all of them, and the list, into the same slot
// of a Redis Cluster.
func (q *Queue) key(suffix string) string { return q.prefix + suffix }

// keys returns the keys that every script gets, in the order of keys.lua, and more.
func (q *Queue) keys(more ...string) []string {
	return append([]string{q.Name, q.key("state"), q.key("leases"), q.key("delayed"), q.key("suspects"), q.key("dead"),
		q.key("results"), q.key("workers"), q.key("joining"),
		q.key("history"), q.key("seen"), q.key("known"), q.prefix}, more...)
}

// Seal closes the queue: no more items will come, so once the queue is empty it is drained. A queue that was filled without
// any seed can be worked on from then on.
func (q *Queue) Seal(ctx context.Context) error {
	commands, err := q.redis.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSetNX(ctx, q.key("state"), "epoch", rand.Text())
		pipe.HSet(ctx, q.key("state"), "sealed", 1)
		return nil
	})
	return cause(commands, err)
}

// cause returns why a transaction was aborted: the error of the first command that was not queued.
func cause(commands []redis.Cmder, err error) error {
	if redis.IsExecAbortError(err) {
		for _, command := range commands {
			if why := command.Err(); why != nil && !redis.IsExecAbortError(why) {
				return why
			}
		}
	}
	return err
}

// AwaitPush blocks until the list of ready items is not empty, or for the given time, whichever is first, and reports whether it is not
// empty. The time is shorter than Redis's reply may take. AwaitPush takes nothing from the list and costs Redis nothing while it waits. A
// push wakes all workers that wait here.
func (q *Queue) AwaitPush(ctx context.Context, atMost time.Duration) (bool, error) {
	// Moving the head to the head changes nothing, and blocks while there is no head.
	seconds := fmt.Sprintf("%.3f", max(atMost, 10*time.Millisecond).Seconds())
	return woken(q.redis.Do(ctx, "BLMOVE", q.Name, q.Name, "LEFT", "LEFT", seconds).Err())
}

// AwaitBell blocks until a script rings for this worker, see ring in keys.lua, or for the given time, rounded up to seconds, whichever is first.
// It reports whether it was rung for.
func (q *Queue) AwaitBell(ctx context.Context, atMost time.Duration) (bool, error) {
	seconds := (atMost + time.Second - 1).Truncate(time.Second)
	return woken(q.redis.BLPop(ctx, max(seconds, time.Second), q.key("bell")).Err())
}

// woken reads the reply of a call that blocks.
func woken(err error) (bool, error) {
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, err
}
