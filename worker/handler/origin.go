package handler

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/workqueue/workqueue/worker/process"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/text"
)

// labelLength is how many characters of an item precede each line of its output.
const labelLength = 60

// origin returns the origin of what a command prints for an item.
func origin(item queue.Item) process.Origin {
	return process.Origin{Label: label(item.Payload), ID: item.ID, Attempt: item.Attempts + 1}
}

// label returns an item as the beginning of a line.
func label(payload string) string {
	kept := text.Shorten(payload, utf8.UTFMax*labelLength) // items may be large
	if !utf8.ValidString(kept) || strings.ContainsFunc(kept, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		kept = fmt.Sprintf("%+q", kept)
	}
	if utf8.RuneCountInString(kept) > labelLength {
		kept = string([]rune(kept)[:labelLength-1]) + "…"
	}
	return kept
}
