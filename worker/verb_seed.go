package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/fields"
	"github.com/workqueue/workqueue/worker/handler"
	"github.com/workqueue/workqueue/worker/monitor"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/source"
)

var seedVerb = verb{
	name:     "seed",
	summary:  "fill the queue, once and exactly",
	help:     "If any list cannot be read, nothing is seeded. With WQ_DRY_RUN=true it prints the items, with WQ_COMMAND also the command of each, and touches no queue.",
	settings: func() any { return &config.Seed{} },
	examples: []string{
		"WQ_QUEUE=jobs WQ_ITEMS_PATHS=list.txt worker seed",
		`WQ_QUEUE=jobs WQ_ITEMS_PATHS=list.csv WQ_ITEMS_FORMAT=csv WQ_DRY_RUN=true \
      worker seed`,
	},
	codes: []int{exitUnreachable, exitConfig},
	run:   runSeed,
}

const (
	progressEvery = 5 * time.Second        // how often a long seed says how far it is
	seedPoll      = time.Second            // how often a worker looks whether another has seeded the queue
	seedAttempts  = 10                     // at the seed of a scheduled run; a seed Job counts its attempts itself
	seedBackoff   = time.Second            // before the second attempt, doubled for each further one
	seedBackoffs  = 5 * time.Minute        // at most
	leaseTimeout  = 500 * time.Millisecond // for giving a lease back
)

func runSeed(ctx context.Context, _ []string) error {
	settings := &config.Seed{}
	s, err := start(settings, &settings.Common)
	if err != nil {
		return err
	}
	if !settings.Unique { // a fingerprint of each item is in memory then
		limitMemory(0)
	}
	if settings.DryRun {
		return printItems(ctx, s.log, settings)
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	defer s.Close()

	published, items, err := seedOnce(ctx, s, settings)
	if err != nil {
		return err
	}
	if err := awaitDurable(ctx, s); err != nil {
		return err
	}
	message := "the queue was seeded before, nothing was added"
	if published {
		message = "the queue is seeded"
	}
	s.log.Info(message, "queue", settings.Queue, "items", items, "sealed", settings.Seal)
	return nil
}

// awaitDurable waits until what was written is safe from the loss of Redis, and warns if that was not confirmed.
func awaitDurable(ctx context.Context, s *session) error {
	return s.retry(ctx, func(ctx context.Context) error {
		durable, err := s.AwaitDurable(ctx, queue.DurableTimeout)
		if err == nil && !durable {
			s.log.Warn("redis has not confirmed that the queue is on its disk and on a replica, as it keeps them: "+
				"if it is lost now the run fails, and has to be started again", "waited", queue.DurableTimeout)
		}
		return err
	})
}

// seedOnce seeds the queue, or waits until another worker has. It returns the number of items, and whether this worker published them.
func seedOnce(ctx context.Context, s *session, settings *config.Seed) (published bool, items int, err error) {
	lease := s.NewSeedLease(settings.SeedID, settings.Lease)
	if settings.Job != "" {
		lease.Attempts, lease.Kept = seedAttempts, settings.Retention
	}
	for waiting := false; ; {
		var outcome queue.SeedOutcome
		var number int
		var wait time.Duration
		err := s.retry(ctx, func(ctx context.Context) (err error) {
			outcome, number, wait, err = lease.Take(ctx)
			return err
		})
		switch {
		case err != nil:
			return false, 0, err
		case outcome == queue.SeedDone && settings.Seal:
			return false, number, s.retry(ctx, s.Seal)
		case outcome == queue.SeedDone:
			return false, number, nil
		case outcome == queue.SeedSpent:
			return false, 0, codeError{exitConfig, fmt.Errorf("the queue could not be seeded in %d attempts; see the logs of the workers that tried", number)}
		case outcome == queue.SeedLeased:
			published, items, err = seedUnder(ctx, lease, number, s, settings)
			if !errors.Is(err, queue.ErrSeedLost) {
				return published, items, err
			}
			s.log.Warn("another worker seeds the queue now: this one could not reach redis for longer than WQ_LEASE")
		case !waiting:
			waiting = true
			s.log.Info("waiting until another worker has seeded the queue", "queue", settings.Queue)
		}
		select {
		case <-ctx.Done():
			return false, 0, ctx.Err()
		case <-time.After(min(wait, seedPoll)):
		}
	}
}

// seedUnder makes an attempt at seeding under a lease.
func seedUnder(ctx context.Context, lease *queue.SeedLease, attempt int, s *session, settings *config.Seed) (published bool, items int, err error) {
	seeding, stop := lease.Keep(ctx)
	// Whatever goes wrong on the way, a seed starts from the beginning: nothing of it counts before it is published.
	err = s.retry(seeding, func(ctx context.Context) error {
		published, items, err = seed(ctx, s, settings)
		return err
	})
	lost := errors.Is(context.Cause(seeding), queue.ErrSeedLost)
	stop()
	switch {
	case err == nil:
		return published, items, nil
	case lost:
		return false, 0, queue.ErrSeedLost
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
	defer cancel()
	if ctx.Err() != nil {
		_ = lease.Return(last) // or it expires
	} else {
		_ = lease.Fail(last, min(seedBackoff<<min(attempt-1, 30), seedBackoffs), err.Error())
	}
	return false, 0, err
}

func seed(ctx context.Context, s *session, settings *config.Seed) (bool, int, error) {
	seeder := s.NewSeeder(settings.SeedID)
	defer seeder.Close(ctx)
	seeder.Unique, seeder.Release = settings.Unique, settings.Release
	if settings.SkipDone {
		names, err := monitor.QueueNames(ctx, s.client, settings.Queue)
		if err != nil {
			return false, 0, err
		}
		for _, name := range names {
			seeder.Skip = append(seeder.Skip, queue.New(s.client, name))
		}
	}
	started, said := time.Now(), time.Now()
	add := func(payload string) error {
		if seeder.Staged()%1000 == 0 && time.Since(said) > progressEvery {
			said = time.Now()
			s.log.Info("seeding", "items", seeder.Staged(), "per_second", int(float64(seeder.Staged())/said.Sub(started).Seconds()))
		}
		return seeder.Add(ctx, payload)
	}
	if err := readSources(ctx, s.log, settings, add); err != nil {
		return false, 0, err
	}
	published, items, err := seeder.Publish(ctx, settings.Seal)
	if skipped := seeder.Skipped(); published && skipped > 0 {
		s.log.Info("items were left out, because an earlier run has done them", "items", skipped)
	}
	return published, items, err
}

// printItems prints the items that a seed would take, each as a line of JSON, with the command of each if there is one.
func printItems(ctx context.Context, log *slog.Logger, settings *config.Seed) error {
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(forTerminal(out))
	encoder.SetEscapeHTML(false)
	exec := &handler.Exec{Command: handler.Command{Args: settings.Command}, Stdin: settings.Input == config.Stdin}
	number := 0
	err := readSources(ctx, log, settings, func(payload string) error {
		number++
		line := dryItem{Payload: record.NewPayload(payload, math.MaxInt)}
		switch {
		case len(settings.Command) == 0:
		case settings.Mode != config.Exec:
			line.Command = fields.Command(settings.Command).Literal()
		default:
			var err error
			if line.Command, _, err = exec.Deliver(queue.Item{ID: strconv.Itoa(number), Payload: payload}); err != nil {
				line.Dead = err.Error()
			}
		}
		return encoder.Encode(line)
	})
	return errors.Join(out.Flush(), err)
}

// dryItem is an item that would be seeded.
type dryItem struct {
	record.Payload
	Command []string `json:"command,omitempty"`
	Dead    string   `json:"dead,omitempty"` // why it would be dead at once
}

// readSources reads all sources that are set, one after another. If items are unique, it passes on each once.
func readSources(ctx context.Context, log *slog.Logger, settings *config.Seed, add func(payload string) error) error {
	if settings.Unique {
		add = source.Unique(add)
	}
	err := eachSource(ctx, log, settings, func(payload string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return add(payload)
	})
	if failed := (*source.Error)(nil); errors.As(err, &failed) && failed.Wrong {
		return configError{err}
	}
	return err
}

// listed is a source of items.
type listed struct {
	variable, name string
	read           func(add func(payload string) error) error
}

// sources returns the sources that are set, in the order of their items.
func sources(ctx context.Context, log *slog.Logger, settings *config.Seed) (all []listed) {
	layout := settings.Layout()
	for _, path := range settings.ItemsPaths {
		all = append(all, listed{"WQ_ITEMS_PATHS", path, func(add func(string) error) error {
			return source.Paths(ctx, []string{path}, layout, add)
		}})
	}
	if settings.ItemsRange.Step != 0 {
		all = append(all, listed{"WQ_ITEMS_RANGE", "the range", settings.ItemsRange.Each})
	}
	if command := settings.ItemsCommand; len(command) > 0 {
		all = append(all, listed{"WQ_ITEMS_COMMAND", "the output of " + command[0], func(add func(string) error) error {
			return source.Generator(ctx, command, process.Environment(), layout, log, add)
		}})
	}
	return all
}

// emptyAdvice says the way out for a list without items.
const emptyAdvice = "set WQ_ALLOW_EMPTY=true (itemsFrom.allowEmpty) if lists may be empty, or WQ_SEAL=false (queue.seal) to add items later"

// eachSource reads all sources. Unless that is allowed, none of those that complete the queue may be empty, but for the file of items that
// the chart always sets: most mistakes in the making of a list make an empty one, and a run without items is a success.
func eachSource(ctx context.Context, log *slog.Logger, settings *config.Seed, add func(payload string) error) error {
	mayBeEmpty := settings.AllowEmpty || !settings.Seal
	items := 0
	counted := func(payload string) error {
		items++
		return add(payload)
	}
	if settings.ItemsFile != "" {
		if err := source.JSON(ctx, settings.ItemsFile, counted); err != nil {
			return named("WQ_ITEMS_FILE", err)
		}
	}
	for _, s := range sources(ctx, log, settings) {
		before := items
		if err := s.read(counted); err != nil {
			return named(s.variable, err)
		}
		if items == before && !mayBeEmpty {
			return configError{fmt.Errorf("%s: no items in %s; check it, %s", s.variable, s.name, emptyAdvice)}
		}
	}
	if items == 0 && !mayBeEmpty {
		return configError{errors.New("there are no items: list them (WQ_ITEMS_FILE, WQ_ITEMS_PATHS, WQ_ITEMS_RANGE or WQ_ITEMS_COMMAND), " + emptyAdvice)}
	}
	return nil
}

// named puts a variable's name before what is wrong with the items that it leads to.
func named(variable string, err error) error {
	if failed := (*source.Error)(nil); errors.As(err, &failed) {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return err
}
