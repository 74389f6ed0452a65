// Package redisconn connects to Redis, of whatever kind, and rides out its absences.
package redisconn

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	_ "golang.org/x/crypto/x509roots/fallback" // an image FROM scratch has no public certificates of its own

	"github.com/workqueue/workqueue/worker/config"
)

// replyTimeout is how long a reply may take. A link that is cut without a word is noticed only then.
const replyTimeout = 10 * time.Second

// Connect opens a client, waits for the server, and makes sure that a queue can live on it: an error is a RefusedError
// where it cannot.
func Connect(ctx context.Context, c config.Common, log *slog.Logger) (redis.UniversalClient, error) {
	redis.SetLogger(debug{log})
	client := Open(c)
	replicaSince := time.Now()
	err := Patiently(ctx, c.RedisPatience, log, func(ctx context.Context) error {
		return check(ctx, client, c, replicaSince, log)
	})
	if err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// Open makes a client from the settings. It does not connect yet.
func Open(c config.Common) redis.UniversalClient {
	url := c.RedisURL.Options
	options := &redis.UniversalOptions{
		Addrs:            []string{url.Addr},
		DB:               url.DB,
		Username:         cmp.Or(c.RedisUsername, url.Username),
		Password:         cmp.Or(c.RedisPassword, url.Password),
		MasterName:       c.RedisSentinelMaster,
		SentinelUsername: c.RedisSentinelUsername,
		SentinelPassword: c.RedisSentinelPassword,
		IsClusterMode:    c.RedisCluster,
		TLSConfig:        tlsConfig(c),
		ClientName:       "workqueue",

		ReadTimeout:           replyTimeout,
		ContextTimeoutEnabled: true,
		// Patiently decides what is tried again. MaxRetries does not count for a Cluster, whose client follows a slot that
		// has moved, and may thereby send a call again after a broken connection.
		MaxRetries:               -1,
		DialerRetries:            1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if len(c.RedisAddrs) > 0 {
		options.Addrs = c.RedisAddrs
	}
	client := redis.NewUniversalClient(options)
	if cluster, ok := client.(*redis.ClusterClient); ok {
		cluster.AddHook(lookAgain{cluster})
	}
	return client
}

// lookAgain asks the Cluster who is master after each broken connection. Left to itself, go-redis does so once a minute,
// and until then calls a node that is dead.
type lookAgain struct{ cluster *redis.ClusterClient }

func (l lookAgain) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		l.after(ctx, err)
		return err
	}
}

func (l lookAgain) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		l.after(ctx, err)
		return err
	}
}

func (lookAgain) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l lookAgain) after(ctx context.Context, err error) {
	var reply redis.Error
	if err != nil && !errors.As(err, &reply) {
		l.cluster.ReloadState(ctx)
	}
}

func tlsConfig(c config.Common) *tls.Config {
	inURL := c.RedisURL.Options.TLSConfig
	if inURL == nil && !c.RedisTLS {
		return nil
	}
	// Without a name here, a server must be what it is called by.
	tc := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.RedisTLSServerName, RootCAs: c.RedisTLSCA.Pool}
	tc.InsecureSkipVerify = inURL != nil && inURL.InsecureSkipVerify // only as the URL says: ?skip_verify=true
	if c.RedisTLSCert != "" {
		// Read for each connection: certificates in a Secret are renewed in place.
		tc.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.RedisTLSCert, c.RedisTLSKey)
			return &pair, err
		}
	}
	return tc
}

// debug takes what go-redis has to say. All of it reaches the user by other ways too, as an error.
type debug struct{ log *slog.Logger }

func (d debug) Printf(ctx context.Context, format string, v ...any) {
	d.log.DebugContext(ctx, fmt.Sprintf(format, v...))
}
