package redisclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/config"
)

// replicaTimeout is how long to wait for a replica to become a master: a name that follows the master soon leads to one.
const replicaTimeout = 10 * time.Second

// errReplica counts as transient until it has lasted for replicaTimeout.
var errReplica = errors.New("redis: the server is a read-only replica")

// check returns an error unless the server of the queue is fit for it.
func check(ctx context.Context, client redis.UniversalClient, c config.Common, since time.Time, log *slog.Logger) error {
	var server redis.Cmdable = client
	if cluster, ok := client.(*redis.ClusterClient); ok {
		node, err := cluster.MasterForKey(ctx, c.Queue)
		if err != nil {
			return err
		}
		server = node
	}
	text, err := server.Info(ctx).Result()
	switch speaksTLS := usesTLS(c); {
	case !speaksTLS && errors.Is(err, io.EOF) && !hasOwnHint(err):
		err = &explainedError{fmt.Sprintf("%v (check that Redis runs; if the server speaks TLS, set WQ_REDIS_TLS=true)", err), err}
	case speaksTLS && errors.Is(err, context.DeadlineExceeded):
		err = &explainedError{fmt.Sprintf("%v (does the server speak TLS, as WQ_REDIS_TLS or rediss:// says?)", err), err}
	}
	var reply redis.Error
	if err != nil && !(errors.As(err, &reply) && mayForbid(reply)) {
		return err
	}
	info := parseInfo(text)
	if why := unfit(info); why != "" {
		return &RefusedError{"redis cannot hold a queue: " + why, nil}
	}
	if info["role"] == "slave" {
		// With Sentinels or in a Cluster there is a master: asking again finds it.
		if c.RedisSentinelMaster == "" && !c.RedisCluster && time.Since(since) > min(replicaTimeout, c.RedisUnreachableTimeout/2) {
			return &RefusedError{fmt.Sprintf("redis cannot hold a queue: the server is a read-only replica of %s:%s "+
				"(WQ_REDIS_URL must be the master's, or set WQ_REDIS_SENTINEL_MASTER)", info["master_host"], info["master_port"]), nil}
		}
		return errReplica
	}
	err = client.Eval(ctx, "return redis.call('LLEN', KEYS[1])", []string{c.Queue}).Err()
	if _, moved := redis.IsMovedError(err); moved && !c.RedisCluster {
		return &RefusedError{"redis refuses: the server is a node of a Cluster (set WQ_REDIS_CLUSTER=true)", err}
	}
	if err == nil && strings.HasPrefix(info["maxmemory_policy"], "volatile-") && info["maxmemory"] != "0" {
		log.Warn("redis may evict the records of runs that have ended when its memory is full; maxmemory-policy noeviction keeps them",
			"maxmemory-policy", info["maxmemory_policy"])
	}
	return err
}

// mayForbid reports whether an error may come from a managed service that forbids INFO.
func mayForbid(reply redis.Error) bool {
	return redis.IsPermissionError(reply) || strings.Contains(reply.Error(), "unknown command")
}

// parseInfo reads the reply of INFO.
func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			info[name] = value
		}
	}
	return info
}

// unfit returns why a server cannot hold a queue and what to do about it, "" if it can.
func unfit(info map[string]string) string {
	policy := info["maxmemory_policy"]
	switch {
	case info["redis_mode"] == "sentinel", info["server_mode"] == "sentinel": // the latter is Valkey's word
		return "it is a Sentinel (put its address into WQ_REDIS_ADDRS, and set WQ_REDIS_SENTINEL_MASTER)"
	case tooOld(info["redis_version"]):
		return fmt.Sprintf("it is version %s (6.2 or newer is needed)", info["redis_version"])
	case strings.HasPrefix(policy, "allkeys-") && info["maxmemory"] != "0":
		return fmt.Sprintf("when its memory is full it evicts any key, so items would vanish: maxmemory-policy is %s "+
			"(make it noeviction, in its configuration or with: redis-cli CONFIG SET maxmemory-policy noeviction)", policy)
	}
	return ""
}

func tooOld(version string) bool {
	var numbers [2]int
	for i, word := range strings.SplitN(version, ".", 3) {
		if i == len(numbers) {
			break
		}
		n, err := strconv.Atoi(word)
		if err != nil {
			return false // not a version as Redis numbers them
		}
		numbers[i] = n
	}
	return version != "" && (numbers[0] < 6 || numbers[0] == 6 && numbers[1] < 2)
}
