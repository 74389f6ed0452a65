package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/monitor"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/report"
)

// errNoRun is returned when a verb is about the latest run of a schedule and there was none yet.
var errNoRun = errors.New("the schedule has started no run yet, or their records have expired; start one: kubectl create job --from=cronjob/RELEASE NAME")

// session is what a verb works with: its settings, a logger, and the queue once it is connected.
type session struct {
	*queue.Queue
	client redis.UniversalClient
	common *config.Common
	log    *slog.Logger
}

// start reads a verb's settings, of which common is a part, and makes the logger.
func start(settings any, common *config.Common) (*session, error) {
	if err := config.Load(settings); err != nil {
		return nil, configError{err}
	}
	common.Queue = common.RunQueue()
	var level slog.Level
	if err := level.UnmarshalText([]byte(common.LogLevel)); err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if common.LogFormat == "json" {
		h = slog.NewJSONHandler(os.Stderr, options)
	}
	s := &session{common: common, log: slog.New(h)}
	if unknown := config.Unknown(); len(unknown) > 0 {
		s.log.Warn("unknown environment variables, perhaps misspelt", "variables", unknown)
	}
	return s, nil
}

// personWaits is for how long a verb that a person waits for tries to reach Redis.
const personWaits = 10 * time.Second

// hurry makes a session give up sooner than workers do, since a person waits.
func (s *session) hurry() *session {
	s.common.RedisUnreachableTimeout = min(s.common.RedisUnreachableTimeout, personWaits)
	return s
}

// connect waits for Redis, WQ_REDIS_UNREACHABLE_TIMEOUT at most.
func (s *session) connect(ctx context.Context) error {
	client, err := redisclient.Connect(ctx, *s.common, s.log)
	if err != nil {
		return err
	}
	s.Queue, s.client = queue.New(client, s.common.Queue), client
	return nil
}

// dial starts a session and connects it. The queue may stand for all runs of a schedule.
func dial(ctx context.Context, settings any, common *config.Common) (*session, error) {
	s, err := start(settings, common)
	if err != nil {
		return nil, err
	}
	return s, s.connect(ctx)
}

// connectRun connects, and turns to the latest run of a schedule if the queue stands for all of them.
func (s *session) connectRun(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	return s.openLatest(ctx)
}

// openLatest turns to the latest run of a schedule, if the queue stands for all of them. It returns errNoRun if there is none.
func (s *session) openLatest(ctx context.Context) error {
	prefix, each := s.common.EachRun()
	if !each {
		return nil
	}
	return s.retry(ctx, func(ctx context.Context) error {
		name, err := monitor.Latest(ctx, s.client, prefix)
		switch {
		case err != nil:
			return err
		case name == "":
			return errNoRun
		}
		s.Queue = queue.New(s.client, name)
		return nil
	})
}

// Close closes the connection.
func (s *session) Close() { _ = s.client.Close() }

// retry calls try until it succeeds, or Redis was unreachable for WQ_REDIS_UNREACHABLE_TIMEOUT.
func (s *session) retry(ctx context.Context, try func(context.Context) error) error {
	return redisclient.Retry(ctx, s.common.RedisUnreachableTimeout, s.log, try)
}

// counts reads the queue's counts.
func (s *session) counts(ctx context.Context) (counts queue.Counts, err error) {
	err = s.retry(ctx, func(ctx context.Context) error {
		counts, err = s.Queue.Counts(ctx)
		return err
	})
	return counts, err
}

// existing reads the counts of a queue that must exist.
func (s *session) existing(ctx context.Context) (queue.Counts, error) {
	counts, err := s.counts(ctx)
	if err == nil && !counts.Exists && counts.Ready == 0 {
		// To act on what is not there would turn lost data into a run that ended well.
		err = errors.New("there is no such queue: seed it, or push items into it, and check WQ_QUEUE")
		if counts.SeedAttempts > 0 {
			err = errors.New(report.Conclude(counts, queue.Portion{}).Text)
		}
	}
	return counts, err
}

// change opens a verb's queue, which must exist, and changes it. It returns the counts from before.
func change(ctx context.Context, do func(context.Context, *session) error) (queue.Counts, error) {
	settings := &config.Common{}
	s, err := start(settings, settings)
	if err != nil {
		return queue.Counts{}, err
	}
	if err := s.hurry().connectRun(ctx); err != nil {
		return queue.Counts{}, err
	}
	defer s.Close()
	counts, err := s.existing(ctx)
	if err != nil {
		return counts, err
	}
	return counts, do(ctx, s)
}

// againValues are the arguments of helm upgrade that start the worker Job of a run again.
const againValues = "--reuse-values --set worker.again=$(date +%s)"

// warnIfEnded warns that items were put into a queue whose workers have ended.
func (s *session) warnIfEnded(before queue.Counts) {
	if !before.Finished.IsZero() || before.Stopped {
		s.log.Warn("the run had ended before, and its workers with it: start workers again (helm upgrade RELEASE CHART " + againValues + "; for a run of a schedule by another Job, docs/recipes.md#every-night)")
	}
}
