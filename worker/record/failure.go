package record

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

const (
	failuresKept  = 100 // kinds in one count
	failureLength = 120 // bytes of the name of a kind
)

// Failure is a kind of failure: dead items that failed alike.
type Failure struct {
	Failure  string `json:"failure"` // names the kind
	ExitCode int    `json:"exit_code"`
	Count    int    `json:"count"`
	Key      string `json:"key"` // of its latest dead letter
}

// Failures is the kinds of failure in a part of the dead letters, the most frequent first.
type Failures struct {
	Failures []Failure `json:"failures"`
	Others   int       `json:"others"` // dead items of kinds that are left out
	Read     int       `json:"read"`
	Next     string    `json:"next,omitempty"` // key before which the next part begins; empty at the end
}

// CountFailures counts the kinds of failure of dead letters before a key, the latest if it is empty. It reads no more than one
// Window.
func CountFailures(ctx context.Context, dead queue.Records, before string) (Failures, error) {
	var window Window
	kinds := map[string]*Failure{}
	err := window.Scan(ctx, dead, before, func(kept queue.Record) bool {
		r := New(kept)
		name := r.Kind()
		kind := kinds[name]
		if kind == nil {
			kind = &Failure{Failure: name, ExitCode: r.ExitCode, Key: kept.Key}
			kinds[name] = kind
		}
		kind.Count++
		return true
	})
	if err != nil {
		return Failures{}, err
	}
	all := Failures{Failures: []Failure{}, Read: window.Read, Next: window.Next}
	for _, kind := range kinds {
		all.Failures = append(all.Failures, *kind)
	}
	slices.SortFunc(all.Failures, func(a, b Failure) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Failure, b.Failure))
	})
	for len(all.Failures) > failuresKept {
		last := len(all.Failures) - 1
		all.Others += all.Failures[last].Count
		all.Failures = all.Failures[:last]
	}
	return all, nil
}

var (
	// errorType is how Python, Java, JavaScript and others begin the line that names an error.
	errorType = regexp.MustCompile(`^(?:[\w.$]+\.)?\w*(?:Error|Exception)\b`)
	// particular is what differs between failures of one kind: quoted text, paths, and words with digits.
	particular = regexp.MustCompile("'[^']*'|\"[^\"]*\"|`[^`]*`|\\S*/\\S*|\\S*\\d\\S*")
)

// Kind names the kind of failure of a dead letter: its reason, its exit code, and the kind of error in the last line of its output.
func (r Record) Kind() string {
	name := general(strings.ToValidUTF8(r.Reason, "\ufffd"))
	if r.ExitCode != 0 && !strings.Contains(name, "exit code") {
		name += fmt.Sprintf(" (exit code %d)", r.ExitCode)
	}
	if r.OutputEncoding != "" {
		return name
	}
	output := strings.TrimSpace(r.Output)
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
