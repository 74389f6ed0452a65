package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redisclient"
	"github.com/workqueue/workqueue/worker/report"
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
	if term.IsTerminal(int(os.Stdout.Fd())) {
		w.view, w.every = newBar(os.Stdout), watchBar
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

// bar is the view for a terminal.
type bar struct {
	*progressbar.ProgressBar
	out io.Writer
}

func newBar(out io.Writer) bar {
	return bar{progressbar.NewOptions(1,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetWidth(30),
		progressbar.OptionSetPredictTime(false), // the text has the time that is left for the run
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetTheme(progressbar.ThemeUnicode),
	), out}
}

func (b bar) update(counts queue.Counts, text string) {
	b.ChangeMax(max(1, counts.Total()))
	b.Describe(text)
	// A full bar has finished and is not drawn again, but more items may come.
	if ended := counts.Ended(); report.Ended(counts) || ended < counts.Total() {
		_ = b.Set(ended)
	}
}

func (b bar) end() {
	_ = b.Exit()
	fmt.Fprintln(b.out)
}
