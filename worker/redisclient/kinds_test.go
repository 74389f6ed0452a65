package redisclient_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/redistest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8") // the tests wait more than they compute; -parallel overrides this
	os.Exit(m.Run())
}

// environment is one for all tests, which run side by side.
var environment sync.Mutex

// settings reads the variables as a verb does.
func settings(t *testing.T, variables ...string) config.Common {
	t.Helper()
	environment.Lock()
	defer environment.Unlock()
	for _, v := range append([]string{"WQ_QUEUE=job2", "WQ_REDIS_UNREACHABLE_TIMEOUT=30s"}, variables...) {
		name, value, _ := strings.Cut(v, "=")
		if err := os.Setenv(name, value); err != nil {
			t.Fatal(err)
		}
		defer os.Unsetenv(name)
	}
	var verify config.Verify
	if err := config.Load(&verify); err != nil {
		t.Fatal(err)
	}
	return verify.Common
}

// logger writes to the test's log.
func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// recorder is a handler that notes what it runs.
type recorder struct {
	mu    sync.Mutex
	runs  map[string]int
	count int
	pause time.Duration
}

func (*recorder) MaxItems() int { return 1 }

func (r *recorder) Handle(_ context.Context, items []queue.Item, report func(int, handler.Attempt)) {
	time.Sleep(r.pause)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	r.runs[items[0].Payload]++
	report(0, handler.Attempt{Outcome: queue.OutcomeDone, Started: time.Now(), Duration: r.pause})
}

func (r *recorder) soFar() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// drain fills a queue and lets two workers drain it while mischief happens. A count outside Redis must agree with the queue's.
func drain(t *testing.T, c config.Common, mischief func()) {
	t.Helper()
	const items = 2000
	ctx, log := context.Background(), logger(t)
	client, err := redisclient.Connect(ctx, c, log)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	q := queue.New(client, c.Queue)
	seeder := q.NewSeeder("items")
	for i := range items {
		if err := seeder.Add(ctx, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, n, err := seeder.Publish(ctx, true); err != nil || n != items {
		t.Fatalf("seeded %d: %v", n, err)
	}
	// Only what has reached the replica survives a failover.
	if mischief != nil {
		if copies, err := wait(ctx, client, c.Queue); err != nil || copies != 1 {
			t.Fatalf("%d replicas have the items: %v", copies, err)
		}
	}

	r := &recorder{runs: map[string]int{}, pause: 4 * time.Millisecond}
	var workers sync.WaitGroup
	for i := range 2 {
		workers.Go(func() {
			own, err := redisclient.Connect(ctx, c, log)
			if err != nil {
				t.Error(err)
				return
			}
			defer own.Close()
			w := &dispatch.Worker{Queue: queue.New(own, c.Queue), Handler: r, Log: log, Name: dispatch.NewName(fmt.Sprint("w", i)),
				Policy: dispatch.Policy{Slots: 4, MaxAttempts: 3, UnreachableTimeout: c.RedisUnreachableTimeout,
					Limits: queue.Limits{Lease: 3 * time.Second, BatchBytes: 1 << 20, MaxCrashes: 3, StopAfter: queue.Portion{Items: 1}}}}
			if err := w.Run(ctx); err != nil {
				t.Errorf("worker %d: %v", i, err)
			}
		})
	}
	if mischief != nil {
		for r.soFar() < items/4 {
			time.Sleep(time.Millisecond)
		}
		mischief()
	}
	workers.Wait()

	var counts queue.Counts
	err = redisclient.Retry(ctx, c.RedisUnreachableTimeout, log, func(ctx context.Context) (err error) {
		counts, err = q.Counts(ctx)
		return err
	})
	if err != nil || counts.Done != items || !counts.Drained() || !counts.Consistent() {
		t.Errorf("%d of %d items are done: %+v, %v", counts.Done, items, counts, err)
	}
	if len(r.runs) != items {
		t.Errorf("%d of %d items were run", len(r.runs), items)
	}
	t.Logf("%d items, run %d times", items, r.count)
}

// wait waits for the replica.
func wait(ctx context.Context, client redis.UniversalClient, key string) (int64, error) {
	server, _ := client.(*redis.Client)
	if cluster, ok := client.(*redis.ClusterClient); ok {
		var err error
		if server, err = cluster.MasterForKey(ctx, key); err != nil {
			return 0, err
		}
	}
	return server.Wait(ctx, 1, 5*time.Second).Result()
}

func TestPassword(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--requirepass", "s3cret")
	drain(t, settings(t, "WQ_REDIS_URL="+server.URL(), "WQ_REDIS_PASSWORD=s3cret"), nil)
}

// TestUser works as an ACL user who has just the rights that an error message recommends.
func TestUser(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, strings.Fields("--user default on nopass +ping "+
		"--user worker on >s3cret ~job2 ~{job2}:* +@all -@admin -@dangerous +info +client|setname")...)
	drain(t, settings(t, "WQ_REDIS_URL="+server.URL(), "WQ_REDIS_USERNAME=worker", "WQ_REDIS_PASSWORD=s3cret"), nil)
}

// TestClusterUser is TestUser in a Cluster, with the rights that docs/redis.md recommends.
func TestClusterUser(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, nil, strings.Fields("--user worker on >s3cret resetchannels ~job2 ~{job2}:* -@all +@read +@write "+
		"+@connection +@transaction +eval +evalsha -@dangerous +info +sort +time +client|setname +cluster|slots")...)
	drain(t, settings(t, "WQ_REDIS_ADDRS="+strings.Join(cluster.Addrs(), ","), "WQ_REDIS_CLUSTER=true",
		"WQ_REDIS_USERNAME=worker", "WQ_REDIS_PASSWORD=s3cret"), nil)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t)
	server := redistest.StartTLS(t, authority)
	drain(t, settings(t, "WQ_REDIS_URL="+server.URL(), "WQ_REDIS_TLS_CA="+authority.CA,
		"WQ_REDIS_TLS_CERT="+authority.Cert, "WQ_REDIS_TLS_KEY="+authority.Key), nil)
}

func TestTLSServerName(t *testing.T) {
	t.Parallel()
	authority := redistest.NewAuthority(t, "redis.example")
	server := redistest.StartTLS(t, authority, "--tls-auth-clients", "no")
	drain(t, settings(t, "WQ_REDIS_URL=redis://"+server.Addr, "WQ_REDIS_TLS=true", "WQ_REDIS_TLS_CA="+authority.CA,
		"WQ_REDIS_TLS_SERVER_NAME=redis.example"), nil)
}

// TestSentinelFailover kills the master for good.
func TestSentinelFailover(t *testing.T) {
	withAndWithoutTLS(t, func(t *testing.T, authority *redistest.Authority, variables ...string) {
		sentinels := redistest.StartSentinels(t, authority, "watch", "--requirepass", "s3cret")
		c := settings(t, append(variables, "WQ_REDIS_ADDRS="+strings.Join(sentinels.Addrs, ","),
			"WQ_REDIS_SENTINEL_MASTER="+redistest.MasterName, "WQ_REDIS_SENTINEL_PASSWORD=watch", "WQ_REDIS_PASSWORD=s3cret")...)
		drain(t, c, sentinels.Servers[0].Kill)
		if role := sentinels.Servers[1].Info("role"); role != "master" {
			t.Errorf("the replica is %s: there was no failover", role)
		}
	})
}

// withAndWithoutTLS runs a test twice: without an authority, and with one and the variables that make the worker use it.
func withAndWithoutTLS(t *testing.T, test func(t *testing.T, authority *redistest.Authority, variables ...string)) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		test(t, nil)
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		authority := redistest.NewAuthority(t)
		test(t, authority, "WQ_REDIS_TLS=true", "WQ_REDIS_TLS_CA="+authority.CA, "WQ_REDIS_TLS_CERT="+authority.Cert, "WQ_REDIS_TLS_KEY="+authority.Key)
	})
}

// TestIdleThroughFailover kills the master while a worker waits for an item, and then pushes one.
func TestIdleThroughFailover(t *testing.T) {
	t.Parallel()
	sentinels := redistest.StartSentinels(t, nil, "")
	c := settings(t, "WQ_REDIS_ADDRS="+strings.Join(sentinels.Addrs, ","), "WQ_REDIS_SENTINEL_MASTER="+redistest.MasterName)
	log := logger(t)
	client, err := redisclient.Connect(t.Context(), c, log)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	q := queue.New(client, c.Queue)
	if _, _, err := q.NewSeeder("nothing").Publish(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := wait(t.Context(), client, c.Queue); err != nil {
		t.Fatal(err)
	}
	r := &recorder{runs: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var worker sync.WaitGroup
	worker.Go(func() {
		w := &dispatch.Worker{Queue: q, Handler: r, Log: log, Name: dispatch.NewName("w"), Policy: dispatch.Policy{Slots: 1, MaxAttempts: 1,
			UnreachableTimeout: c.RedisUnreachableTimeout, Limits: queue.Limits{Lease: 3 * time.Second, BatchBytes: 1 << 20, MaxCrashes: 3}}}
		if err := w.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	time.Sleep(500 * time.Millisecond)
	sentinels.Servers[0].Kill()
	redistest.Eventually(t, "an item can be pushed", func() error {
		_, err := q.NewPusher().Push(t.Context(), "item")
		return err
	})
	pushed := time.Now()
	for r.soFar() == 0 && time.Since(pushed) < 10*time.Second {
		time.Sleep(time.Millisecond)
	}
	// A second between two tries, a second of idle polling, and some more for a busy machine.
	if took := time.Since(pushed); took > 5*time.Second {
		t.Errorf("the item was taken only after %v", took)
	}
	stop()
	worker.Wait()
}

// TestClusterFailover kills the node that holds the queue for good.
func TestClusterFailover(t *testing.T) {
	withAndWithoutTLS(t, func(t *testing.T, authority *redistest.Authority, variables ...string) {
		cluster := redistest.StartCluster(t, authority, "--requirepass", "s3cret", "--masterauth", "s3cret")
		c := settings(t, append(variables, "WQ_REDIS_ADDRS="+strings.Join(cluster.Addrs(), ","), "WQ_REDIS_CLUSTER=true", "WQ_REDIS_PASSWORD=s3cret")...)
		drain(t, c, cluster.Master(c.Queue).Kill)
	})
}

// TestClusterNodeReturnsEmpty kills the node that holds the queue, and when another has taken over, starts one at its address that
// knows of no Cluster: as Kubernetes replaces a pod without a volume.
func TestClusterNodeReturnsEmpty(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, nil)
	c := settings(t, "WQ_REDIS_ADDRS="+strings.Join(cluster.Addrs(), ","), "WQ_REDIS_CLUSTER=true")
	node := cluster.Master(c.Queue)
	drain(t, c, func() {
		node.Kill()
		redistest.Eventually(t, "another node takes over", func() error {
			if cluster.Master(c.Queue) == node {
				return errors.New("the dead node holds the queue")
			}
			return nil
		})
		if err := os.Remove(filepath.Join(node.Dir, "nodes.conf")); err != nil {
			t.Fatal(err)
		}
		node.Restart()
	})
}
