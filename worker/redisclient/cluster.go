package redisclient

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/redis/go-redis/v9"
)

// The client of a Cluster follows a slot that has moved, as it should. It is kept from two other things that it does: to
// send a call again though its first try may have had an effect, and to look for the masters once a minute only, until
// when it calls one that is dead.

// nodeHook hides a broken connection from the client of the Cluster, which would send the call again.
type nodeHook struct{}

func (nodeHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (nodeHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (nodeHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if isConnection(err) {
			return hidden{err}
		}
		return err
	}
}

// hidden is an error of which nothing shows.
type hidden struct{ err error }

func (hidden) Error() string { return "connection broken" }

// clusterHook brings a hidden error to light again, and looks at once who is master now.
type clusterHook struct{ cluster *redis.ClusterClient }

func (clusterHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h clusterHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return h.after(ctx, next(ctx, cmd)) }
}

func (h clusterHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return h.after(ctx, next(ctx, cmds)) }
}

func (h clusterHook) after(ctx context.Context, err error) error {
	var broken hidden
	if errors.As(err, &broken) {
		err = broken.err
	}
	if isConnection(err) {
		h.cluster.ReloadState(ctx)
	}
	return err
}

// isConnection reports whether an error is one of the connection, not of the server.
func isConnection(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
