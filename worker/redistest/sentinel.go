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

// StartSentinels runs a master, a replica and three Sentinels. The password, if any, is the Sentinels' own; args are for
// the two servers.
func StartSentinels(tb testing.TB, sentinelPassword string, args ...string) *Sentinels {
	tb.Helper()
	// A failed-over server must come back as a replica quickly, and a master that was cut off must stop by itself.
	args = append([]string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}, args...)
	master := Start(tb, args...)
	host, port, _ := net.SplitHostPort(master.Addr)
	replicaOf := []string{"--replicaof", host, port}
	if master.password != "" {
		replicaOf = append(replicaOf, "--masterauth", master.password)
	}
	replica := Start(tb, append(args, replicaOf...)...)
	s := &Sentinels{Servers: []*Server{master, replica}}
	Eventually(tb, "the replica follows", func() error { return want(replica, "master_link_status", "up") })

	var sentinels []*Server
	for range 3 {
		sentinel := &Server{Addr: FreeAddr(tb), Dir: tb.TempDir(), tb: tb, password: sentinelPassword}
		_, own, _ := net.SplitHostPort(sentinel.Addr)
		config := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nloglevel warning\n"+
			"sentinel monitor %[3]s %s %s 2\nsentinel down-after-milliseconds %[3]s 500\n"+
			"sentinel failover-timeout %[3]s 2000\nsentinel parallel-syncs %[3]s 1\n",
			own, sentinel.Dir, MasterName, host, port)
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
		sentinel.args = []string{path, "--sentinel"}
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
