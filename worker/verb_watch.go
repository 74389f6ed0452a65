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
	watchBar   = 500 * time.Millisecond // between two looks, for a bar
	watchLines = 5 * time.Second        // between two lines, where there is no terminal
)

func runWatch(ctx context.Context, _ []string) error {
	settings := &config.Watch{}
	q, log, err := openFor(ctx, settings, &settings.Common)
	if err != nil {
		return err
	}
	defer q.Close()
	var show view = lines{os.Stdout}
	every := watchLines
	if term.IsTerminal(int(os.Stdout.Fd())) {
		show, every = newBar(os.Stdout), watchBar
	}
	var speed report.Speed
	for {
		counts, err := readCounts(ctx, q.Queue, settings.Common, log)
		if err != nil {
			return err
		}
		speed.Saw(counts)
		over := counts.Drained() || (counts.Stopped && counts.Leased == 0)
		show.update(counts, report.Progress(counts, &speed), over)
		if over {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// view shows how far a run is.
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
		progressbar.OptionSetPredictTime(false), // the text tells it, for the workers and not for this verb
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetTheme(progressbar.ThemeUnicode),
	)}
}

func (b bar) update(counts queue.Counts, text string, last bool) {
	b.ChangeMax(max(1, counts.Total()))
	b.Describe(text)
	// A full bar is a finished one and draws no more, but more items may come.
	if settled := counts.Done + counts.Dead; last || settled < counts.Total() {
		_ = b.Set(settled)
	}
	if last {
		_ = b.Exit()
		fmt.Println()
	}
}
