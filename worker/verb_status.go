package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/monitor"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/report"
	"github.com/workqueue/workqueue/worker/terminal"
	"github.com/workqueue/workqueue/worker/text"
)

var statusVerb = verb{
	name:     "status",
	summary:  "show on one screen how the run stands, and what to do",
	help:     "It shows the state and its cause, what runs longest, what fails, and the commands that come next. The exit code says how the run stands.",
	settings: func() any { return &config.Runs{} },
	examples: []string{
		"kubectl exec deploy/fruits-monitor -- worker status",
	},
	codes: []int{exitUnreachable, exitConfig, exitDead, exitVanished, exitUnfinished},
	run:   runStatus,
}

// The status fits a screen of 24 lines, or little more.
const (
	statusShown  = 3   // items that run, kinds of failure, and errors
	statusText   = 100 // characters of a reason, or of a line of output
	statusItem   = 40  // characters of an item
	statusLabel  = 8   // columns before the texts of the first lines
	statusIndent = 2
)

// An item is late if it has been running for so many times the 95th percentile, and for so long.
const (
	lateFactor  = 10
	lateAtLeast = 5 * time.Second
)

// status holds what the verb shows.
type status struct {
	queue      string
	release    string // namespace/name, "" if it is unknown
	counts     queue.Counts
	conclusion report.Conclusion
	perSecond  float64
	workers    monitor.Workers
	failures   record.Failures
	dead       []record.Record // the latest
	results    int
}

func runStatus(ctx context.Context, _ []string) error {
	settings := &config.Runs{}
	s, err := start(settings, &settings.Common)
	if err != nil {
		return err
	}
	if err := s.hurry().connectRun(ctx); err != nil {
		return err
	}
	defer s.Close()
	var now status
	err = s.retry(ctx, func(ctx context.Context) (err error) {
		now, err = readStatus(ctx, s.Queue, settings.MaxDead.Portion)
		return err
	})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	now.print(out, terminal.Of(os.Stdout))
	if err := out.Flush(); err != nil {
		return err
	}
	if code := stateCodes[now.conclusion.State]; code != exitOK {
		return codeError{code: code}
	}
	return nil
}

func readStatus(ctx context.Context, q *queue.Queue, maxDead queue.Portion) (s status, err error) {
	s.queue = q.Name
	if s.counts, err = q.Counts(ctx); err != nil {
		return s, err
	}
	var course report.Course
	course.Saw(s.counts)
	s.conclusion, s.perSecond = course.Conclude(s.counts, maxDead), course.PerSecond()
	if s.release, err = q.Release(ctx); err != nil {
		return s, err
	}
	if s.workers, err = monitor.ReadWorkers(ctx, q); err != nil {
		return s, err
	}
	dead := q.Records(queue.KindDead)
	if s.failures, err = record.CountFailures(ctx, dead, ""); err != nil {
		return s, err
	}
	err = dead.Latest(ctx, "", func(r queue.Record) bool {
		s.dead = append(s.dead, record.New(r))
		return len(s.dead) < statusShown
	})
	if err != nil {
		return s, err
	}
	s.results, err = q.Records(queue.KindResults).Len(ctx)
	return s, err
}

// print writes the status for a terminal, or for a file or a pipe if there is none.
func (s *status) print(out io.Writer, t *terminal.Terminal) {
	columns := 0
	if t != nil {
		columns = t.Columns()
	}
	line := func(name, value string) { // a long value is wrapped: the cause of a state is not cut
		value = text.Line(value, len(value)+1)
		if columns > 0 {
			value = strings.TrimSpace(text.Wrap(value, strings.Repeat(" ", statusLabel), columns))
		}
		if name == "State" {
			state, cause, _ := strings.Cut(value, ":")
			value = t.Paint(state, stateColour(s.conclusion.State)) + ":" + cause
		}
		fmt.Fprintf(out, "%-*s%s\n", statusLabel, name, value)
	}
	shown := func(indent int, value string, colour terminal.Colour) {
		value = text.Line(value, len(value)+1)
		if columns > 0 {
			value = terminal.Fit(value, columns-indent)
		}
		fmt.Fprintf(out, "%*s%s\n", indent, "", t.Paint(value, colour))
	}
	line("Queue", s.queue)
	name := string(s.conclusion.State) + ": "
	line("State", name+strings.TrimPrefix(s.conclusion.Text, name))
	if s.counts.Total() > 0 {
		line("Items", s.items())
	}
	if speed := s.speed(); speed != "" {
		line("Speed", speed)
	}
	if running := s.running(); len(running) > 0 {
		fmt.Fprint(out, "\nRunning longest:\n")
		s.printRunning(out, t, running)
	}
	if len(s.failures.Failures) > 0 {
		fmt.Fprint(out, "\nDead items by kind of failure:\n")
		others := s.failures.Read
		for _, failure := range s.failures.Failures[:min(statusShown, len(s.failures.Failures))] {
			others -= failure.Count
			shown(statusIndent, fmt.Sprintf("%d × %s", failure.Count, failure.Failure), terminal.Plain)
		}
		if others > 0 {
			shown(statusIndent, fmt.Sprintf("%d of other kinds", others), terminal.Plain)
		}
	}
	if errors := s.errors(); len(errors) > 0 {
		fmt.Fprint(out, "\nLatest errors:\n")
		for _, e := range errors {
			shown(statusIndent, e, terminal.Plain)
		}
	}
	if next := s.next(); len(next) > 0 {
		fmt.Fprint(out, "\nNext:\n")
		for _, command := range next { // it is copied, so it is not cut
			fmt.Fprintf(out, "  %s\n", text.Printable(command))
		}
	}
}

// stateColour returns the colour of a state, by its verdict.
func stateColour(state report.State) terminal.Colour {
	switch state.Kind().Verdict {
	case report.OK:
		return terminal.Good
	case report.Failed:
		return terminal.Bad
	}
	if state == report.StateRunning {
		return terminal.Plain
	}
	return terminal.Warn
}

// items returns how many items are in which state.
func (s *status) items() string {
	var parts []string
	for _, state := range queue.ItemStates {
		if n := state.Of(s.counts); n > 0 || state.Name == "done" {
			parts = append(parts, fmt.Sprintf("%d %s", n, state.Name))
		}
	}
	return fmt.Sprintf("%d: %s", s.counts.Total(), strings.Join(parts, ", "))
}

// speed returns how fast the run is, and how long attempts take.
func (s *status) speed() string {
	var parts []string
	if took := report.WallTime(s.counts); took > 0 {
		parts = append(parts, report.Rate(s.perSecond)+" in "+report.Duration(took))
	}
	if l := s.workers.Latency; l.Attempts > 0 {
		parts = append(parts, fmt.Sprintf("the latest attempts took: p50 %s, p95 %s", report.Duration(seconds(l.P50)), report.Duration(seconds(l.P95))))
	}
	return strings.Join(parts, "; ")
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// running returns the workers whose items have been running for the longest time.
func (s *status) running() []monitor.Worker {
	var busy []monitor.Worker
	for _, w := range s.workers.Workers { // the one whose item is oldest is first
		if w.Item != nil && w.Leased+w.Running > 0 && len(busy) < statusShown {
			busy = append(busy, w)
		}
	}
	return busy
}

func (s *status) printRunning(out io.Writer, t *terminal.Terminal, running []monitor.Worker) {
	indent := terminal.Column{Whole: true}
	table := terminal.NewTable(out, t, indent, terminal.Column{Name: "ITEM"}, terminal.Column{Name: "ID", Whole: true}, terminal.Column{Name: "AGE", Whole: true},
		terminal.Column{Name: "ATTEMPT", Whole: true}, terminal.Column{Name: "POD"}, terminal.Column{Name: "NODE"})
	for _, w := range running {
		age, colour := s.age(w.Item)
		_ = table.Row(terminal.Cell{}, terminal.Cell{Text: shownItem(w.Item.Payload)}, terminal.Cell{Text: text.Line(w.Item.ID, statusItem)},
			terminal.Cell{Text: age, Colour: colour}, terminal.Cell{Text: fmt.Sprint(w.Item.Attempt)},
			terminal.Cell{Text: text.Line(w.Pod, statusText)}, terminal.Cell{Text: text.Line(cmp.Or(w.Node, "-"), statusText)})
	}
	_ = table.Flush() // the buffer's Flush returns its error
}

// age returns for how long an item has been running, and by how much that is too long.
func (s *status) age(item *dispatch.RunningItem) (string, terminal.Colour) {
	age := max(0, s.counts.Now.Sub(item.Since))
	if times := late(age, s.workers.Latency); times > 0 {
		return fmt.Sprintf("%s, %d × p95", report.Duration(age), times), terminal.Bad
	}
	return report.Duration(age), terminal.Plain
}

// late returns how many times the 95th percentile an item has been running, 0 if that is not far beyond it.
func late(age time.Duration, l monitor.Latency) int {
	p95 := max(seconds(l.P95), time.Millisecond)
	if l.Attempts == 0 || age < lateAtLeast || age < lateFactor*p95 {
		return 0
	}
	return int(age / p95)
}

// shownItem returns the beginning of an item.
func shownItem(p record.Payload) string {
	return text.Line(shownText(p.Item, p.ItemEncoding), statusItem)
}

// errors returns the latest failed attempts, the latest first: those of dead items, and those that workers report.
func (s *status) errors() []string {
	type failed struct {
		at       time.Time
		id, line string
	}
	var all []failed
	for _, r := range s.dead {
		line := fmt.Sprintf("item %s (%s) on %s: %s", r.ID, shownItem(r.Payload), cmp.Or(r.Host, "an unknown pod"), text.Line(r.Reason, statusText))
		if last := lastLine(r); last != "" {
			line += ": " + text.Line(last, statusText)
		}
		all = append(all, failed{r.Recorded, r.ID, line})
	}
	for _, w := range s.workers.Workers {
		e := w.LastError
		if e == nil || slices.ContainsFunc(all, func(f failed) bool { return f.id == e.ItemID }) {
			continue
		}
		all = append(all, failed{e.At, e.ItemID, fmt.Sprintf("item %s on %s: %s", e.ItemID, w.Pod, text.Line(e.Reason, statusText))})
	}
	slices.SortStableFunc(all, func(a, b failed) int { return b.at.Compare(a.at) })
	var lines []string
	for _, f := range all[:min(len(all), statusShown)] {
		lines = append(lines, report.Clock(f.at)+"  "+f.line)
	}
	return lines
}

// lastLine returns the last line of a record's output that is not empty, "" if there is none or it is no text.
func lastLine(r record.Record) string {
	if r.OutputEncoding != "" {
		return ""
	}
	output := strings.TrimSpace(r.Output)
	return strings.TrimSpace(output[strings.LastIndexAny(output, "\r\n")+1:])
}

// plainWord matches a word that a shell leaves as it is.
var plainWord = regexp.MustCompile(`^[\w.:@%+=,/-]+$`)

func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// next returns the commands that a person would type now.
func (s *status) next() (commands []string) {
	namespace, release, known := strings.Cut(s.release, "/")
	in := " "
	if known {
		in = " -n " + quoted(namespace) + " "
	}
	worker := func(verb string) { commands = append(commands, "worker WQ_QUEUE="+quoted(s.queue)+" "+verb) }
	describe := func() {
		if known {
			commands = append(commands, "kubectl"+in+"describe job,pod -l app.kubernetes.io/instance="+quoted(release)+",app.kubernetes.io/component=worker")
		}
	}
	upgrade := func(values, why string) {
		if known {
			commands = append(commands, "helm"+in+"upgrade "+quoted(release)+" CHART "+values+"  # "+why)
		}
	}
	for _, w := range s.running() {
		if age := s.counts.Now.Sub(w.Item.Since); late(age, s.workers.Latency) > 0 {
			commands = append(commands, "kubectl"+in+"logs "+quoted(w.Pod))
			break
		}
	}
	switch s.conclusion.State {
	case report.StateUnseeded, report.StateVanished:
		worker("runs")
		upgrade("--reuse-values --set rerun=$(date +%s)", "runs the whole list again")
	case report.StateSeeding:
		if known {
			commands = append(commands, "kubectl"+in+"logs --prefix -c seed -l app.kubernetes.io/instance="+quoted(release))
		}
	case report.StateWaiting:
		describe()
		upgrade(againValues, "if no worker pod is left")
	case report.StateBroken:
		describe()
		upgrade("-f VALUES", "with the command or the image corrected")
	case report.StatePaused:
		worker("resume")
	case report.StateOpen:
		worker("seal")
	case report.StateRunning:
		worker("watch")
	}
	if s.counts.Dead > 0 {
		worker("dead")
	}
	if s.counts.Dead > 0 && stateCodes[s.conclusion.State] != exitOK || s.counts.LastStep == queue.LastStepDead {
		worker("retry")
	}
	if stateCodes[s.conclusion.State] == exitDead {
		upgrade(againValues, "starts workers again, when the cause is mended")
	}
	if s.conclusion.State == report.StateDone && s.results > 0 {
		worker("results")
	}
	return commands
}
