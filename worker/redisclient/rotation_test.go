package redisclient_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/redistest"
)

// TestRotation replaces the authority, the certificate and the key of a Redis and of its client while the client is connected, as the
// rotation of a Secret does. In between, the server's certificate is of an unknown authority, expired, or the client's files do not fit
// each other. Calls wait until all fits again.
func TestRotation(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	old := redistest.NewAuthority(t)
	server := redistest.StartTLS(t, old)
	mounted := redistest.NewAuthority(t) // files of its own, which get the contents of others
	mount := func(a *redistest.Authority, files ...int) {
		t.Helper()
		from, to := []string{a.CA, a.Cert, a.Key}, []string{mounted.CA, mounted.Cert, mounted.Key}
		for _, i := range files {
			content, err := os.ReadFile(from[i])
			if err == nil {
				err = os.WriteFile(to[i], content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	mount(old, 0, 1, 2)
	c := settings(t, "WQ_REDIS_URL="+server.URL(), "WQ_REDIS_TLS_CA="+mounted.CA, "WQ_REDIS_TLS_CERT="+mounted.Cert, "WQ_REDIS_TLS_KEY="+mounted.Key)
	client, err := redisclient.Connect(ctx, c, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	q := queue.New(client, "job2")
	call := func(refused chan<- error) error {
		failed := false
		return redisclient.Retry(ctx, 20*time.Second, logger(t), func(ctx context.Context) error {
			_, err := q.Counts(ctx)
			if err != nil && !failed {
				failed = true
				refused <- err
			}
			return err
		})
	}
	next := redistest.NewAuthority(t)
	expired := redistest.NewExpired(t, next)
	for _, step := range []struct {
		name   string
		during func() // how the server and the files are in between
	}{
		{"the server has another authority", func() { server.Replace(next) }},
		{"the server's certificate is expired", func() { mount(next, 0, 1, 2); server.Replace(expired) }},
		{"certificate and key do not fit", func() { server.Replace(next); mount(next, 0, 1); mount(old, 2) }},
		{"the client's certificate is of the old authority", func() { server.Replace(next); mount(next, 0); mount(old, 1, 2) }},
	} {
		t.Run(step.name, func(t *testing.T) {
			step.during()
			refused, ended := make(chan error, 1), make(chan error, 1)
			go func() { ended <- call(refused) }()
			select {
			case err := <-refused:
				t.Log("in between:", err)
			case err := <-ended:
				t.Fatal("nothing was refused, and the call ended with ", err)
			}
			mount(next, 0, 1, 2)
			server.Replace(next)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
