package monitor

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/text"
)

const (
	failuresInterval = sampleInterval
	failuresShown    = 100 // groups in one response
	failureLength    = 120 // bytes of a group's name
)

// Failure is a group of dead items that failed alike.
type Failure struct {
	Failure  string `json:"failure"` // names the group
	ExitCode int    `json:"exit_code"`
	Count    int    `json:"count"`
	Key      string `json:"key"` // of its latest dead letter
}

// FailurePage is the groups in a part of the dead letters, the largest first.
type FailurePage struct {
	Failures []Failure `json:"failures"`
	Others   int       `json:"others"` // dead items in groups that are left out
	Read     int       `json:"read"`
	Next     string    `json:"next,omitempty"`
}

func (s *Server) serveFailures(w http.ResponseWriter, r *http.Request, run *run) {
	before, ok := beforeOf(w, r)
	if !ok {
		return
	}
	read := func(ctx context.Context) (FailurePage, error) { return readFailures(ctx, run.queue, before) }
	var page FailurePage
	var err error
	if before == "" { // every open page asks for it
		page, err = run.failures.get(r.Context(), run.sampler.deadVersion(), failuresInterval, read)
	} else {
		page, err = read(r.Context())
	}
	if err != nil {
		unavailable(w, err)
		return
	}
	respond(w, page)
}

func readFailures(ctx context.Context, q *queue.Queue, before string) (FailurePage, error) {
	var window window
	groups := map[string]*Failure{}
	err := window.scan(ctx, q.Records(queue.KindDead), before, func(kept queue.Record) bool {
		name := failureOf(kept)
		group := groups[name]
		if group == nil {
			group = &Failure{Failure: name, ExitCode: record.New(kept).ExitCode, Key: kept.Key}
			groups[name] = group
		}
		group.Count++
		return true
	})
	if err != nil {
		return FailurePage{}, err
	}
	page := FailurePage{Failures: []Failure{}, Read: window.read, Next: window.next}
	for _, group := range groups {
		page.Failures = append(page.Failures, *group)
	}
	slices.SortFunc(page.Failures, func(a, b Failure) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Failure, b.Failure))
	})
	for len(page.Failures) > failuresShown {
		last := len(page.Failures) - 1
		page.Others += page.Failures[last].Count
		page.Failures = page.Failures[:last]
	}
	return page, nil
}

var (
	// errorType is how Python, Java, JavaScript and others begin the line that names an error.
	errorType = regexp.MustCompile(`^(?:[\w.$]+\.)?\w*(?:Error|Exception)\b`)
	// particular is what differs between failures of one kind: quoted text, paths, and words with digits.
	particular = regexp.MustCompile("'[^']*'|\"[^\"]*\"|`[^`]*`|\\S*/\\S*|\\S*\\d\\S*")
)

// failureOf names the group of a dead letter: its reason, its exit code, and the kind of error in the last line of its output.
func failureOf(kept queue.Record) string {
	l := record.New(kept)
	name := general(strings.ToValidUTF8(l.Reason, "\ufffd"))
	if l.ExitCode != 0 && !strings.Contains(name, "exit code") {
		name += fmt.Sprintf(" (exit code %d)", l.ExitCode)
	}
	if l.OutputEncoding != "" {
		return name
	}
	output := strings.TrimSpace(l.Output)
	last := strings.TrimSpace(output[strings.LastIndexAny(output, "\r\n")+1:])
	if kind := errorType.FindString(last); kind != "" {
		last = text.Head(kind, failureLength)
	} else {
		last = general(last)
	}
	if last != "" {
		name += ": " + last
	}
	return name
}

// general returns a message without the parts that differ from item to item. Short numbers are kept: they are codes.
func general(message string) string {
	const longestCode = 4
	message = text.Head(strings.Join(strings.Fields(text.Head(message, 4*failureLength)), " "), 2*failureLength)
	return text.Head(particular.ReplaceAllStringFunc(message, func(part string) string {
		if len(part) <= longestCode && !strings.ContainsAny(part, "/'\"`") {
			return part
		}
		return "…"
	}), failureLength)
}
