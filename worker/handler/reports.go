package handler

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// maxReport is the number of bytes of a line on file descriptor 3 that are used.
const maxReport = 4 << 10

// readReports reads what a command writes to file descriptor 3: reports, one a line, of any length. It returns an error about the
// first line that is not a report, or about a read that failed.
func readReports(r io.Reader, items int, report func(number int, attempt Attempt)) (invalid error) {
	lines := bufio.NewReaderSize(r, maxReport)
	for {
		raw, err := lines.ReadSlice('\n')
		line := string(raw)
		if errors.Is(err, bufio.ErrBufferFull) {
			line = text.Shorten(line, maxReport-1)
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = lines.ReadSlice('\n')
			}
		}
		if line = strings.TrimSpace(line); line != "" {
			number, attempt, ok := readReport(line)
			if ok = ok && number >= 1 && number <= items; ok {
				report(number, attempt)
			} else if invalid == nil {
				invalid = fmt.Errorf("%q does not begin with the number of an item, 1 to %d", text.Shorten(line, 100), items)
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded):
			return invalid
		case err != nil:
			return err
		}
	}
}

// readReport reads a report: the item's number, counted from 1, then an outcome (done, failed, dead or snoozed; failed if there is none)
// and a reason.
func readReport(line string) (number int, attempt Attempt, ok bool) {
	first, rest, _ := strings.Cut(line, " ")
	number, err := strconv.Atoi(first)
	if err != nil {
		return 0, Attempt{}, false
	}
	rest = strings.TrimSpace(rest)
	word, reason, _ := strings.Cut(rest, " ")
	switch outcome := queue.Outcome(word); outcome {
	case queue.OutcomeDone:
		return number, Attempt{Outcome: outcome}, true
	case queue.OutcomeFailed, queue.OutcomeDead, queue.OutcomeSnoozed:
		attempt.Outcome = outcome
	default:
		attempt.Outcome, reason = queue.OutcomeFailed, rest
	}
	if attempt.Reason = strings.TrimSpace(reason); attempt.Reason == "" {
		attempt.Reason = "reported by the command"
	}
	return number, attempt, true
}
