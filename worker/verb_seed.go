package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisconn"
)

// progressEvery is how often a long seed says how far it is.
const progressEvery = 5 * time.Second

func runSeed(ctx context.Context, _ []string) error {
	settings := &config.Seed{}
	log, err := load(settings, &settings.Common)
	if err != nil {
		return err
	}
	client, err := redisconn.Connect(ctx, settings.Common, log)
	if err != nil {
		return err
	}
	defer client.Close()
	q := queue.New(client, settings.Queue)

	var published bool
	var items int
	// Whatever goes wrong on the way, a seed starts from the beginning: nothing of it counts before it is published.
	err = redisconn.Patiently(ctx, settings.RedisPatience, log, func(ctx context.Context) error {
		seeded, before, err := q.Seeded(ctx, settings.SeedID)
		if err != nil {
			return err
		}
		if seeded && !settings.Seal {
			published, items = false, before
			return nil
		}
		published, items, err = seed(ctx, q, settings, log)
		return err
	})
	if err != nil {
		return err
	}
	message := "the queue was seeded before, nothing was added"
	if published {
		message = "the queue is seeded"
	}
	log.Info(message, "queue", settings.Queue, "items", items, "sealed", settings.Seal)
	return nil
}

func seed(ctx context.Context, q *queue.Queue, settings *config.Seed, log *slog.Logger) (bool, int, error) {
	seeder := q.NewSeeder(settings.SeedID)
	if settings.ItemsFile != "" {
		file, err := os.Open(settings.ItemsFile)
		if err != nil {
			return false, 0, configError{fmt.Errorf("WQ_ITEMS_FILE: %w", err)}
		}
		defer file.Close()
		said := time.Now()
		err = readItems(file, func(payload string) error {
			if time.Since(said) > progressEvery {
				log.Info("seeding", "items", seeder.Staged())
				said = time.Now()
			}
			return seeder.Add(ctx, payload)
		})
		var wrong *itemError
		if errors.As(err, &wrong) {
			return false, 0, configError{fmt.Errorf("WQ_ITEMS_FILE: %s: %w", settings.ItemsFile, err)}
		}
		if err != nil {
			return false, 0, err
		}
	}
	return seeder.Publish(ctx, settings.Seal)
}

// itemError says which item of a file cannot be one.
type itemError struct {
	index int
	what  string
}

func (e *itemError) Error() string {
	if e.index < 0 {
		return e.what
	}
	return fmt.Sprintf("items[%d] is %s: an item is a string, a number or an object", e.index, e.what)
}

// readItems reads a JSON array of items and hands each over as a payload: strings as they are, numbers as they are
// written, objects as compact JSON.
func readItems(r io.Reader, each func(payload string) error) error {
	decoder := json.NewDecoder(r)
	token, err := decoder.Token()
	if delim, ok := token.(json.Delim); err != nil || !ok || delim != '[' {
		return &itemError{-1, "not a JSON array of items"}
	}
	for index := 0; decoder.More(); index++ {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return &itemError{-1, fmt.Sprintf("not JSON after %d items: %v", index, err)}
		}
		payload, err := payload(index, raw)
		if err != nil {
			return err
		}
		if err := each(payload); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return &itemError{-1, "the JSON array of items does not end"}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return &itemError{-1, "something follows the JSON array of items"}
	}
	return nil
}

func payload(index int, raw json.RawMessage) (string, error) {
	switch raw[0] {
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err
	case '{':
		var compact bytes.Buffer
		err := json.Compact(&compact, raw)
		return compact.String(), err
	case '[':
		return "", &itemError{index, "a list"}
	case 'n':
		return "", &itemError{index, "null"}
	case 't', 'f':
		return "", &itemError{index, "true or false"}
	}
	return string(raw), nil
}
