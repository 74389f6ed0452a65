package redisclient_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/redistest"
)

// TestRefusals connects to servers that are unfit or expect other settings. Each error comes at once, is one line, says what to do,
// and contains no secret.
func TestRefusals(t *testing.T) {
	t.Parallel()
	authority, another := redistest.NewAuthority(t), redistest.NewAuthority(t)
	plain := redistest.Start(t)
	locked := redistest.Start(t, strings.Fields("--requirepass s3cret "+
		"--user noscript on >s3cret ~* +@all -@scripting --user nokeys on >s3cret ~other +@all")...)
	secure := redistest.StartTLS(t, authority)
	replica := redistest.Start(t, append([]string{"--replicaof"}, strings.Split(plain.Addr, ":")...)...)
	evicting := redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	sentinels := redistest.StartSentinels(t, nil, "s3cret")

	taken := plain.Client()
	defer taken.Close()
	if err := taken.Set(context.Background(), "taken", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}

	url := func(s *redistest.Server) string { return "WQ_REDIS_URL=" + s.URL() }
	ca := "WQ_REDIS_TLS_CA=" + authority.CA
	certificate := []string{"WQ_REDIS_TLS_CERT=" + authority.Cert, "WQ_REDIS_TLS_KEY=" + authority.Key}
	watched := "WQ_REDIS_ADDRS=" + strings.Join(sentinels.Addrs, ",")
	for _, test := range []struct {
		name      string
		variables []string
		says      string
	}{
		{"no password", []string{url(locked)}, "set WQ_REDIS_PASSWORD"},
		{"wrong password", []string{url(locked), "WQ_REDIS_PASSWORD=s3cret-not"}, "check WQ_REDIS_USERNAME and WQ_REDIS_PASSWORD"},
		{"no scripts", []string{url(locked), "WQ_REDIS_USERNAME=noscript", "WQ_REDIS_PASSWORD=s3cret"}, "the ACL user must be allowed"},
		{"no keys", []string{url(locked), "WQ_REDIS_USERNAME=nokeys", "WQ_REDIS_PASSWORD=s3cret"}, "the ACL user must be allowed"},
		{"another's key", []string{url(plain), "WQ_QUEUE=taken"}, "choose another WQ_QUEUE"},
		{"evicting", []string{url(evicting)}, "maxmemory-policy is allkeys-lru (make it noeviction"},
		{"replica", []string{url(replica)}, "is a read-only replica of " + plain.Addr},
		{"a Sentinel", []string{"WQ_REDIS_URL=redis://:s3cret@" + sentinels.Addrs[0]}, "set WQ_REDIS_SENTINEL_MASTER"},
		{"no Sentinel", []string{"WQ_REDIS_ADDRS=" + plain.Addr, "WQ_REDIS_SENTINEL_MASTER=mymaster"}, "WQ_REDIS_ADDRS must name Sentinels"},
		{"unknown master", []string{watched, "WQ_REDIS_SENTINEL_MASTER=other", "WQ_REDIS_SENTINEL_PASSWORD=s3cret"}, "check WQ_REDIS_SENTINEL_MASTER"},
		{"no password for Sentinels", []string{watched, "WQ_REDIS_SENTINEL_MASTER=mymaster"}, "set WQ_REDIS_SENTINEL_PASSWORD"},
		{"wrong password for Sentinels", []string{watched, "WQ_REDIS_SENTINEL_MASTER=mymaster", "WQ_REDIS_SENTINEL_PASSWORD=s3cret-not"}, "check WQ_REDIS_SENTINEL_USERNAME and WQ_REDIS_SENTINEL_PASSWORD"},
		{"no Cluster", []string{url(plain), "WQ_REDIS_CLUSTER=true"}, "WQ_REDIS_CLUSTER is true, but"},
		{"unknown authority", []string{url(secure)}, "check WQ_REDIS_TLS_CA"},
		{"wrong authority", []string{url(secure), "WQ_REDIS_TLS_CA=" + another.CA}, "check WQ_REDIS_TLS_CA"},
		{"wrong name", append(certificate, url(secure), ca, "WQ_REDIS_TLS_SERVER_NAME=other"), "WQ_REDIS_TLS_SERVER_NAME"},
		{"no certificate", []string{url(secure), ca}, "Check WQ_REDIS_TLS_CERT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := settings(t, append(test.variables, "WQ_REDIS_UNREACHABLE_TIMEOUT=2s")...)
			client, err := redisclient.Connect(t.Context(), c, logger(t))
			if err == nil {
				client.Close()
				t.Fatal("nothing was refused")
			}
			var refused *redisclient.RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.says) ||
				strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%T %q, want a single line with %q", err, err, test.says)
			}
			t.Log(err)
		})
	}

	// A server that is just starting looks the same: these are logged at once and tried again.
	for _, test := range []struct {
		name      string
		variables []string
		says      string
	}{
		{"TLS there", []string{"WQ_REDIS_URL=redis://:s3cret@" + secure.Addr}, "set WQ_REDIS_TLS=true"},
		{"no TLS there", []string{"WQ_REDIS_URL=rediss://:s3cret@" + plain.Addr}, "does the server speak TLS"},
		{"nobody there", []string{"WQ_REDIS_URL=redis://:s3cret@" + redistest.FreeAddr(t)}, "connection refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := redisclient.Connect(t.Context(), settings(t, append(test.variables, "WQ_REDIS_UNREACHABLE_TIMEOUT=0s")...), logger(t))
			if !errors.Is(err, redisclient.ErrUnreachable) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestOneNodeOfACluster connects to a Cluster's node as if it were a single server.
func TestOneNodeOfACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, nil)
	for _, node := range cluster.Nodes {
		if node == cluster.Master("job2") || node.Info("role") == "slave" {
			continue
		}
		_, err := redisclient.Connect(t.Context(), settings(t, "WQ_REDIS_URL="+node.URL()), logger(t))
		var refused *redisclient.RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "set WQ_REDIS_CLUSTER=true") {
			t.Errorf("got %v", err)
		}
	}
	// One address and WQ_REDIS_CLUSTER are enough to find all nodes.
	client, err := redisclient.Connect(t.Context(), settings(t, "WQ_REDIS_URL="+cluster.Nodes[0].URL(), "WQ_REDIS_CLUSTER=true"), logger(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, ok := client.(*redis.ClusterClient); !ok {
		t.Errorf("%T is no client of a Cluster", client)
	}
	// A scan for the keys of a queue asks the node that has them; a scan for queues asks all nodes.
	names := []string{"a", "b", "c", "d", "e"}
	for _, name := range names {
		if _, _, err := queue.New(client, name).NewSeeder("s").Publish(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := queue.Names(t.Context(), client); err != nil || !slices.Equal(found, names) {
		t.Errorf("the queues are %q, %v; want %q", found, err, names)
	}
	for _, name := range names {
		if _, err := queue.New(client, name).Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := client.Exists(t.Context(), "{"+name+"}:state").Result(); n != 0 || err != nil {
			t.Errorf("queue %s is still there: %v", name, err)
		}
	}
}
