package redisclient_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/redistest"
)

// TestOneConnection: a worker has one connection to the server that has its queue, however Redis is set up, and none for pipelines.
// In a Cluster it has at most one to each other node, for the list of the nodes.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	single := redistest.Start(t)
	sentinels := redistest.StartSentinels(t, nil, "")
	cluster := redistest.StartCluster(t, nil)
	for _, test := range []struct {
		name    string
		servers []*redistest.Server
		home    *redistest.Server
		c       config.Common
	}{
		{"single", []*redistest.Server{single}, single, settings(t, "WQ_REDIS_URL="+single.URL())},
		{"Sentinel", sentinels.Servers, sentinels.Servers[0],
			settings(t, "WQ_REDIS_ADDRS="+strings.Join(sentinels.Addrs, ","), "WQ_REDIS_SENTINEL_MASTER="+redistest.MasterName)},
		{"Cluster", cluster.Nodes, cluster.Master("job2"),
			settings(t, "WQ_REDIS_ADDRS="+strings.Join(cluster.Addrs(), ","), "WQ_REDIS_CLUSTER=true")},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := t.Context()
			const workers = 5
			for range workers {
				client, err := redisclient.Connect(ctx, test.c, logger(t))
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				q := queue.New(client, "job2")
				if _, _, err := q.NewSeeder("s").Publish(ctx, false); err != nil { // a pipeline
					t.Fatal(err)
				}
				if _, err := q.NewSession("w", queue.Limits{Lease: time.Minute, BatchBytes: 1 << 20, MaxCrashes: 3}).Exchange(ctx, queue.Request{}); err != nil {
					t.Fatal(err)
				}
				if _, err := q.AwaitPush(ctx, 10*time.Millisecond); err != nil {
					t.Fatal(err)
				}
				if _, err := q.Counts(ctx); err != nil {
					t.Fatal(err)
				}
			}
			for _, server := range test.servers {
				admin := server.Client()
				defer admin.Close()
				list, err := admin.Do(ctx, "CLIENT", "LIST", "TYPE", "normal").Text()
				if err != nil {
					t.Fatal(err)
				}
				n := strings.Count(list, " name=workqueue ")
				t.Logf("%s: %d connections of %d workers", server.Addr, n, workers)
				if server == test.home && n != workers || n > workers {
					t.Errorf("%d workers have %d connections:\n%s", workers, n, list)
				}
			}
		})
	}
}

// TestLimits: what a limit of the server refuses is named after the limit.
func TestLimits(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 3<<20)
	push := func(ctx context.Context, q *queue.Queue) error {
		_, err := q.NewPusher().Push(ctx, large)
		return err
	}
	for _, test := range []struct {
		name, limit, value, says string
		call                     func(context.Context, *queue.Queue) error
	}{
		{"bulk", "proto-max-bulk-len", "1mb", "proto-max-bulk-len", push},
		{"buffer", "client-query-buffer-limit", "1mb", "client-query-buffer-limit", push},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := redistest.Start(t, "--"+test.limit, test.value)
			c := settings(t, "WQ_REDIS_URL="+server.URL())
			client, err := redisclient.Connect(t.Context(), c, logger(t))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			err = redisclient.Retry(t.Context(), time.Second, logger(t), func(ctx context.Context) error { return test.call(ctx, queue.New(client, "job2")) })
			var refused *redisclient.RefusedError
			if err == nil || errors.As(err, &refused) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			t.Log(err)
		})
	}
}

// TestClientForbidden: an ACL or a proxy may forbid CLIENT, which is only used to show a name.
func TestClientForbidden(t *testing.T) {
	t.Parallel()
	forbidden := redistest.Start(t, strings.Fields("--user jobs on >s3cret ~* +@all -client")...)
	unknown := redistest.Start(t, "--rename-command", "CLIENT", "")
	for _, variables := range [][]string{
		{"WQ_REDIS_URL=" + forbidden.URL(), "WQ_REDIS_USERNAME=jobs", "WQ_REDIS_PASSWORD=s3cret"},
		{"WQ_REDIS_URL=" + unknown.URL()},
	} {
		client, err := redisclient.Connect(t.Context(), settings(t, append(variables, "WQ_REDIS_UNREACHABLE_TIMEOUT=1s")...), logger(t))
		if err != nil {
			t.Error(err)
			continue
		}
		client.Close()
	}
}
