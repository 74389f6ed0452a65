package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/monitor"
	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/source"
)

const (
	progressEvery = 5 * time.Second // how often a long seed says how far it is
	durableWithin = 2 * time.Second // Redis writes to its disk once a second
)

func runSeed(ctx context.Context, _ []string) error {
	settings := &config.Seed{}
	s, err := start(settings, &settings.Common)
	if err != nil {
		return err
	}
	if !settings.Unique { // which remembers every item
		limitMemory()
	}
	if settings.DryRun {
		return printItems(ctx, settings)
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	defer s.Close()

	var published bool
	var items int
	// Whatever goes wrong on the way, a seed starts from the beginning: nothing of it counts before it is published.
	err = s.retry(ctx, func(ctx context.Context) error {
		seeded, before, err := s.Seeded(ctx, settings.SeedID)
		if err != nil {
			return err
		}
		if seeded {
			published, items = false, before
			if settings.Seal {
				return s.Seal(ctx)
			}
			return nil
		}
		published, items, err = seed(ctx, s, settings)
		return err
	})
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
		durable, err := s.AwaitDurable(ctx, durableWithin)
		if err == nil && !durable {
			s.log.Warn("redis has not confirmed that the queue is on its disk and on a replica, as it keeps them: "+
				"if it is lost now the run fails, and has to be started again", "waited", durableWithin)
		}
		return err
	})
}

func seed(ctx context.Context, s *session, settings *config.Seed) (bool, int, error) {
	seeder := s.NewSeeder(settings.SeedID)
	defer seeder.Close(ctx)
	seeder.Unique = settings.Unique
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
	if err := readSources(ctx, settings, add); err != nil {
		return false, 0, err
	}
	published, items, err := seeder.Publish(ctx, settings.Seal)
	if skipped := seeder.Skipped(); published && skipped > 0 {
		s.log.Info("items were left out, because an earlier run has done them", "items", skipped)
	}
	return published, items, err
}

// printItems prints the items that a seed would take, each as a line of JSON.
func printItems(ctx context.Context, settings *config.Seed) error {
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	err := readSources(ctx, settings, func(payload string) error { return encoder.Encode(record.NewPayload(payload, math.MaxInt)) })
	return errors.Join(out.Flush(), err)
}

// readSources reads all sources that are set, one after another. If items are unique, it passes on each once.
func readSources(ctx context.Context, settings *config.Seed, add func(payload string) error) error {
	if settings.Unique {
		add = source.Unique(add)
	}
	err := eachSource(ctx, settings, add)
	if failed := (*source.Error)(nil); errors.As(err, &failed) && failed.Wrong {
		return configError{err}
	}
	return err
}

func eachSource(ctx context.Context, settings *config.Seed, add func(payload string) error) error {
	layout := settings.Layout()
	if settings.ItemsFile != "" {
		if err := source.JSON(settings.ItemsFile, add); err != nil {
			return named("WQ_ITEMS_FILE", err)
		}
	}
	if err := source.Paths(settings.ItemsPaths, layout, add); err != nil {
		return named("WQ_ITEMS_PATHS", err)
	}
	if err := settings.ItemsRange.Each(add); err != nil {
		return err
	}
	if len(settings.ItemsCommand) > 0 {
		return named("WQ_ITEMS_COMMAND", source.Generator(ctx, settings.ItemsCommand, process.Environment(), layout, add))
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
