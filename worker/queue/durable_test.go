package queue_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

// TestAwaitDurable: a replica that is there has to confirm, one that hangs does not, and a server without any has nothing to
// wait for. The append-only file is waited for where the server knows how; where not, nothing fails.
func TestAwaitDurable(t *testing.T) {
	master := redistest.Start(t, "--appendonly", "yes", "--repl-diskless-sync-delay", "0")
	client := master.Client()
	defer client.Close()
	q := queue.New(client, "job2")
	await := func(want bool) {
		t.Helper()
		_, _, err := q.NewSeeder("items").Publish(t.Context(), true)
		must(t, err)
		durable, err := q.AwaitDurable(t.Context(), 2*time.Second)
		must(t, err)
		if durable != want {
			t.Errorf("durable %v, want %v; the master says %s", durable, want, client.Info(t.Context(), "replication"))
		}
	}
	await(true)

	host, port, _ := net.SplitHostPort(master.Addr)
	replica := redistest.Start(t, "--replicaof", host, port)
	redistest.Eventually(t, "the replica follows", func() error {
		if status := replica.Info("master_link_status"); status != "up" {
			return errors.New("its link is " + status)
		}
		return nil
	})
	await(true)

	must(t, syscall.Kill(replica.Process(), syscall.SIGSTOP))
	await(false)
}
