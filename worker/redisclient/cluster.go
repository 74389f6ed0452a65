package redisclient

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/redis/go-redis/v9"
)

// The hooks change three habits of go-redis's Cluster client: it sends a call again although the first try may have had an effect; it
// looks for the masters only once a minute, so that it may call a dead one until then; and it believes the first node that replies,
// though that may have come back empty and know of no master.

// nodeHook hides a broken connection from the Cluster client, which would send the call again, and makes it ask another node for the
// masters where one knows none.
type nodeHook struct{}

var errNoMasters = errors.New("redis: a node of the Cluster knows no other")

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
		if slots, ok := cmd.(*redis.ClusterSlotsCmd); ok && err == nil && len(slots.Val()) == 0 {
			err = errNoMasters
			cmd.SetErr(err)
		}
		return err
	}
}

// hidden wraps an error so that the Cluster client does not recognize it.
type hidden struct{ err error }

func (hidden) Error() string { return "connection broken" }

// clusterHook unwraps a hidden error and makes the client look for the masters at once.
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
	if isConnection(err) || redis.IsClusterDownError(err) {
		h.cluster.ReloadState(ctx)
	}
	return err
}

// isConnection reports whether an error is one of the connection, not of the server.
func isConnection(err error) bool {
	var network net.Error
	var broken hidden
	var full *fullError
	return errors.As(err, &broken) || errors.As(err, &full) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
