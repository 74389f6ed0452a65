package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/report"
)

const (
	watchBar   = 500 * time.Millisecond // between two updates of a bar
	watchLines = 5 * time.Second        // between two lines, where there is no terminal
)

func runWatch(ctx context.Context, _ []string) error {
	settings := &config.Runs{}
	s, err := open(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer s.Close()
	var show view = lines{os.Stdout}
	every := watchLines
	if term.IsTerminal(int(os.Stdout.Fd())) {
		show, every = newBar(os.Stdout), watchBar
	}
	var course report.Course
	for {
		counts, err := s.counts(ctx)
		if err != nil {
			return err
		}
		course.Saw(counts)
		ended := report.Ended(counts)
		show.update(counts, course.Progress(settings.MaxDead), ended)
		if ended {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// view shows the progress of a run.
type view interface {
	update(counts queue.Counts, text string, last bool)
}

// lines is the view for a file or a pipe.
type lines struct{ out io.Writer }

func (l lines) update(_ queue.Counts, text string, _ bool) { fmt.Fprintln(l.out, text) }

// bar is the view for a terminal.
type bar struct{ *progressbar.ProgressBar }

func newBar(out io.Writer) bar {
	return bar{progressbar.NewOptions(1,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetWidth(30),
		progressbar.OptionSetPredictTime(false), // the text has the time that is left for the run
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetTheme(progressbar.ThemeUnicode),
	)}
}

func (b bar) update(counts queue.Counts, text string, last bool) {
	b.ChangeMax(max(1, counts.Total()))
	b.Describe(text)
	// A full bar has finished and is not drawn again, but more items may come.
	if ended := counts.Done + counts.Dead; last || ended < counts.Total() {
		_ = b.Set(ended)
	}
	if last {
		_ = b.Exit()
		fmt.Println()
	}
}
