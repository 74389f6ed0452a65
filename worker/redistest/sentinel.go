package redistest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// MasterName is what the Sentinels call their master.
const MasterName = "mymaster"

// Sentinels are three Sentinels that watch a master and its replica, and fail over within a second or two.
type Sentinels struct {
	Servers []*Server // the master at first, and the replica
	Addrs   []string  // of the Sentinels
}

// StartSentinels runs a master, a replica and three Sentinels, all with TLS if there is an authority. The password, if any, is the
// Sentinels' own; args are for the two servers.
func StartSentinels(tb testing.TB, authority *Authority, sentinelPassword string, args ...string) *Sentinels {
	tb.Helper()
	// A failed-over server must come back as a replica quickly, and a master that was cut off must stop by itself.
	args = append([]string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}, args...)
	master := start(tb, FreeAddr(tb), authority, args...)
	host, port, _ := net.SplitHostPort(master.Addr)
	replicaOf := []string{"--replicaof", host, port}
	if master.password != "" {
		replicaOf = append(replicaOf, "--masterauth", master.password)
	}
	replica := start(tb, FreeAddr(tb), authority, append(args, replicaOf...)...)
	s := &Sentinels{Servers: []*Server{master, replica}}
	Eventually(tb, "the replica follows", func() error { return want(replica, "master_link_status", "up") })

	var sentinels []*Server
	for range 3 {
		sentinel := newServer(tb, FreeAddr(tb), authority)
		sentinel.password = sentinelPassword
		config := fmt.Sprintf("sentinel monitor %[1]s %s %s 2\nsentinel down-after-milliseconds %[1]s 500\n"+
			"sentinel failover-timeout %[1]s 2000\nsentinel parallel-syncs %[1]s 1\n", MasterName, host, port)
		if master.password != "" {
			config += fmt.Sprintf("sentinel auth-pass %s %s\n", MasterName, master.password)
		}
		if sentinelPassword != "" {
			config += "requirepass " + sentinelPassword + "\n"
		}
		path := filepath.Join(sentinel.Dir, "sentinel.conf") // which it rewrites
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			tb.Fatal(err)
		}
		sentinel.args = append([]string{path, "--sentinel"}, sentinel.args...)
		sentinel.Restart()
		tb.Cleanup(sentinel.Kill)
		sentinels = append(sentinels, sentinel)
		s.Addrs = append(s.Addrs, sentinel.Addr)
	}
	for _, sentinel := range sentinels {
		Eventually(tb, "the Sentinels know each other and the replica", func() error {
			return want(sentinel, "master0", fmt.Sprintf("name=%s,status=ok,address=%s:%s,slaves=1,sentinels=3", MasterName, host, port))
		})
	}
	return s
}

// want checks one field of INFO.
func want(s *Server, field, value string) error {
	if got := s.Info(field); got != value {
		return errors.New(field + " is " + got + ", not " + value)
	}
	return nil
}
