package redistest

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Cluster is three masters with a replica each. They fail over within a few seconds.
type Cluster struct{ Nodes []*Server }

// StartCluster runs a Cluster, with TLS if there is an authority. The args are for all of its nodes.
func StartCluster(tb testing.TB, authority *Authority, args ...string) *Cluster {
	tb.Helper()
	args = append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
		"--repl-diskless-sync-delay", "0"}, args...)
	c := &Cluster{}
	create := []string{"--cluster", "create", "--cluster-replicas", "1", "--cluster-yes"}
	for range 6 {
		node := start(tb, freeClusterAddr(tb), authority, args...)
		c.Nodes = append(c.Nodes, node)
		create = append(create, node.Addr)
	}
	if authority != nil {
		create = append(create, "--tls", "--cacert", authority.CA, "--cert", authority.Cert, "--key", authority.Key)
	}
	if password := c.Nodes[0].password; password != "" {
		create = append(create, "--no-auth-warning", "-a", password)
	}
	if out, err := exec.Command("redis-cli", create...).CombinedOutput(); err != nil {
		tb.Fatalf("redis-cli --cluster create: %v\n%s", err, out)
	}
	for _, node := range c.Nodes {
		Eventually(tb, "the cluster is up", func() error { return c.up(node) })
	}
	return c
}

// up returns an error unless a node sees the whole cluster, replicas included.
func (c *Cluster) up(node *Server) error {
	err := want(node, "connected_slaves", "1")
	if node.Info("role") == "slave" {
		err = want(node, "master_link_status", "up")
	}
	if err != nil {
		return err
	}
	client := node.Client()
	defer client.Close()
	state, err := client.ClusterInfo(context.Background()).Result()
	if err == nil && !(strings.Contains(state, "cluster_state:ok") && strings.Contains(state, "cluster_known_nodes:6")) {
		err = errors.New(state)
	}
	return err
}

// Master returns the node that holds a key.
func (c *Cluster) Master(key string) *Server {
	c.Nodes[0].tb.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), Password: c.Nodes[0].password, TLSConfig: c.Nodes[0].tls})
	defer client.Close()
	master, err := client.MasterForKey(context.Background(), key)
	if err != nil {
		c.Nodes[0].tb.Fatal(err)
	}
	for _, node := range c.Nodes {
		if node.Addr == master.Options().Addr {
			return node
		}
	}
	panic("a node that was not started here: " + master.Options().Addr)
}

// Addrs returns the addresses of some nodes.
func (c *Cluster) Addrs() []string { return []string{c.Nodes[0].Addr, c.Nodes[1].Addr} }

// freeClusterAddr finds an address whose port leaves room for the cluster's own, which is 10000 higher.
func freeClusterAddr(tb testing.TB) string {
	tb.Helper()
	for {
		addr := FreeAddr(tb)
		host, port, _ := net.SplitHostPort(addr)
		number, _ := strconv.Atoi(port)
		if number >= 1<<16-10000 {
			continue
		}
		bus, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(number+10000)))
		if err != nil {
			continue
		}
		bus.Close()
		return addr
	}
}
