package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/report"
	"github.com/workqueue/workqueue/worker/terminal"
)

var watchVerb = verb{
	name:     "watch",
	summary:  "show the progress of the run until it ends",
	help:     "At the end it prints the report. Its exit code says whether it could watch; that of verify says whether the run is a success.",
	settings: func() any { return &config.Runs{} },
	examples: []string{
		"kubectl exec -it deploy/fruits-monitor -- worker watch",
	},
	codes: []int{exitUnreachable, exitConfig, exitVanished},
	run:   runWatch,
}

const (
	watchBar   = 500 * time.Millisecond // between two updates of a bar
	watchLines = 2 * time.Second        // between two lines, where there is no terminal
)

func runWatch(ctx context.Context, _ []string) error {
	settings := &config.Runs{}
	s, err := dial(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer s.Close()
	w := &watcher{session: s, view: lines{os.Stdout}, every: watchLines}
	if t := terminal.Of(os.Stdout); t != nil {
		w.view, w.every = bar{t}, watchBar
	}
	counts, err := w.watch(ctx, settings.MaxDead.Portion)
	w.view.end()
	if err != nil {
		return err
	}
	return s.report(ctx, counts, settings.MaxDead.Portion, w.course.Conclude(counts, settings.MaxDead.Portion))
}

// watcher shows the progress of a run.
type watcher struct {
	*session
	view   view
	every  time.Duration // between two looks
	course report.Course
}

// watch returns the counts of the run when it has ended, or its queue has vanished.
func (w *watcher) watch(ctx context.Context, maxDead queue.Portion) (queue.Counts, error) {
	var last queue.Counts
	for {
		counts, err := w.look(ctx, last)
		if err != nil {
			return counts, err
		}
		w.course.Saw(counts)
		w.view.update(counts, w.course.Progress(maxDead))
		if report.Ended(counts) {
			return counts, nil
		}
		if !counts.Exists && w.course.Existed() {
			return counts, queue.ErrVanished
		}
		if !counts.Exists {
			if err := w.openLatest(ctx); err != nil && !errors.Is(err, errNoRun) { // a run of the schedule may begin at any time
				return counts, err
			}
		}
		last = counts
		select {
		case <-ctx.Done():
			return counts, ctx.Err()
		case <-time.After(w.every):
		}
	}
}

// look reads the counts. While Redis is unreachable it shows that, beside the last counts.
func (w *watcher) look(ctx context.Context, last queue.Counts) (counts queue.Counts, err error) {
	var since, shown time.Time
	quiet := slog.New(slog.DiscardHandler) // the view shows it
	err = redisclient.Retry(ctx, w.common.RedisUnreachableTimeout, quiet, func(ctx context.Context) error {
		counts, err = w.Queue.Counts(ctx)
		now := time.Now()
		if since.IsZero() {
			since = now
		}
		if err != nil && now.Sub(shown) >= w.every {
			shown = now
			w.view.update(last, "redis has been unreachable since "+report.Clock(since))
		}
		return err
	})
	return counts, err
}

// view shows the progress of a run, with a line of text.
type view interface {
	update(counts queue.Counts, text string)
	end()
}

// lines is the view for a file or a pipe.
type lines struct{ out io.Writer }

func (l lines) update(_ queue.Counts, text string) { fmt.Fprintln(l.out, text) }

func (l lines) end() {}

// bar is the view for a terminal: a bar with the counts, and a line that says how the run stands.
type bar struct{ *terminal.Terminal }

// The width of a bar, in columns.
const (
	barAtLeast = 10
	barAtMost  = 40
)

func (b bar) update(counts queue.Counts, text string) {
	numbers, stands, counted := strings.Cut(text, "; ")
	switch {
	case counts.Total() == 0:
		b.Draw(text)
		return
	case !counted:
		numbers, stands = "", text
	case report.Ended(counts):
		stands = "" // the report says it
	}
	numbers = fmt.Sprintf(" %3d%% %s", int(report.EndedPercent(counts)), numbers)
	room := b.Columns() - 1 - terminal.Width(numbers)
	lines := []string{terminal.Bar(counts.Ended(), counts.Total(), min(max(room, barAtLeast), barAtMost)) + numbers}
	if stands != "" {
		lines = append(lines, stands)
	}
	b.Draw(lines...)
}

func (b bar) end() { b.End() }
