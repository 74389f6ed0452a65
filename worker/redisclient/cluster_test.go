package redisclient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/redistest"
)

// loseReplies forwards connections to a server, and breaks those on which a certain command was sent before its reply.
func loseReplies(t *testing.T, listener net.Listener, server, command string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		upstream, err := net.Dial("tcp", server)
		if err != nil {
			t.Error(err)
			return
		}
		lost := make(chan struct{})
		go func() {
			defer upstream.Close()
			buffer := make([]byte, 64<<10)
			for {
				n, err := client.Read(buffer)
				if bytes.Contains(buffer[:n], []byte(command)) {
					close(lost)
				}
				if _, werr := upstream.Write(buffer[:n]); err != nil || werr != nil {
					return
				}
			}
		}()
		go func() {
			defer client.Close()
			buffer := make([]byte, 64<<10)
			for {
				n, err := upstream.Read(buffer)
				select {
				case <-lost: // the server has done it
					return
				default:
				}
				if _, werr := client.Write(buffer[:n]); err != nil || werr != nil {
					return
				}
			}
		}()
	}
}

// TestPushOnce loses the reply to a push in a Cluster. The client must not push again by itself, and a Repeat has no effect.
func TestPushOnce(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	// The server announces the listener as its address.
	server := redistest.Start(t, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", port, "--cluster-port", "0")
	go loseReplies(t, listener, server.Addr, "RPUSH") // as the script says
	direct := server.Client()
	defer direct.Close()
	if err := direct.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	redistest.Eventually(t, "the cluster is up", func() error { return direct.Set(t.Context(), "x", "", 0).Err() })

	c := settings(t, "WQ_REDIS_URL=redis://"+listener.Addr().String(), "WQ_REDIS_CLUSTER=true")
	client, err := redisclient.Connect(t.Context(), c, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	pusher := queue.New(client, "job2").NewPusher()
	for _, try := range []struct {
		push func(context.Context, ...string) (int, error)
		want error
	}{{pusher.Push, io.EOF}, {pusher.Repeat, nil}} {
		if _, err := try.push(t.Context(), "a"); !errors.Is(err, try.want) {
			t.Errorf("the push ended with %v, want %v", err, try.want)
		}
		if n := direct.LLen(context.Background(), "job2").Val(); n != 1 {
			t.Errorf("the item was pushed %d times", n)
		}
	}
}
