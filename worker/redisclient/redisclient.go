// Package redisclient connects to Redis, of whatever kind, and waits while it cannot be used.
package redisclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/workqueue/workqueue/worker/config"
)

// replyTimeout is how long a reply may take. A link that was cut silently is noticed only then.
const replyTimeout = 10 * time.Second

// Connect opens a client and waits until its server can be used, as Await does.
func Connect(ctx context.Context, c config.Common, log *slog.Logger) (redis.UniversalClient, error) {
	client := Open(c)
	if err := Await(ctx, client, c, log); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// Await waits until the server of a client replies, WQ_REDIS_UNREACHABLE_TIMEOUT at most, and checks that it is fit for a queue. If it is
// not, the error is a RefusedError.
func Await(ctx context.Context, client redis.UniversalClient, c config.Common, log *slog.Logger) error {
	redis.SetLogger(debug{log})
	replicaSince := time.Now()
	err := retry(ctx, c.RedisUnreachableTimeout, log, func(ctx context.Context) error {
		return check(ctx, client, c, replicaSince, log)
	}, transient)
	if explained := (*explainedError)(nil); errors.As(err, &explained) && !errors.Is(err, ErrUnreachable) {
		err = &RefusedError{explained.text, explained.err}
	}
	return err
}

// Open makes a client from the settings. It does not connect yet.
func Open(c config.Common) redis.UniversalClient {
	url := c.RedisURL.Options
	options := &redis.UniversalOptions{
		Addrs:            []string{url.Addr},
		DB:               url.DB,
		Username:         cmp.Or(c.RedisUsername, url.Username),
		Password:         cmp.Or(c.RedisPassword, url.Password),
		MasterName:       c.RedisSentinelMaster,
		SentinelUsername: c.RedisSentinelUsername,
		SentinelPassword: c.RedisSentinelPassword,
		IsClusterMode:    c.RedisCluster,
		Dialer:           dialer(c),
		// The name is for people who look at CLIENT LIST. A proxy or an ACL may forbid it.
		OnConnect: func(ctx context.Context, conn *redis.Conn) error {
			_ = conn.ClientSetName(ctx, "workqueue").Err()
			return nil
		},

		PipelinePoolSize:         -1, // one connection a worker: pipelines use the same
		ReadTimeout:              replyTimeout,
		ContextTimeoutEnabled:    true,
		MaxRetries:               -1, // Retry decides what is tried again
		DialerRetries:            1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if len(c.RedisAddrs) > 0 {
		options.Addrs = c.RedisAddrs
	}
	client := redis.NewUniversalClient(options)
	client.AddHook(outageHook{}) // the first one, which gets the errors that the others leave
	if cluster, ok := client.(*redis.ClusterClient); ok {
		cluster.AddHook(clusterHook{cluster})
		cluster.OnNewNode(func(node *redis.Client) {
			node.AddHook(outageHook{})
			node.AddHook(nodeHook{})
		})
	}
	return client
}

// debug logs go-redis's own messages at level debug. The user sees the same problems as errors.
type debug struct{ log *slog.Logger }

func (d debug) Printf(ctx context.Context, format string, v ...any) {
	d.log.DebugContext(ctx, fmt.Sprintf(format, v...))
}
