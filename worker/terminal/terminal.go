// Package terminal writes lines, bars and tables that fit a terminal. Whatever else a terminal might obey in their texts, it shows as a dot.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/term"

	"github.com/workqueue/workqueue/worker/text"
)

// defaultColumns is the width of a terminal that does not know its own.
const defaultColumns = 80

// Terminal is a terminal for output.
type Terminal struct {
	file  *os.File
	drawn []string // the lines that the next Draw replaces
}

// Of returns the terminal that a file is, nil if it is none.
func Of(file *os.File) *Terminal {
	if !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return &Terminal{file: file}
}

// Columns returns the terminal's width now.
func (t *Terminal) Columns() int {
	columns, _, err := term.GetSize(int(t.file.Fd()))
	if err != nil || columns <= 0 {
		return defaultColumns
	}
	return columns
}

// Draw shows lines in the place of those that it showed last.
func (t *Terminal) Draw(lines ...string) {
	columns := t.Columns()
	var out strings.Builder
	if up := rowsOf(t.drawn, columns) - 1; up > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", up)
	}
	out.WriteString("\r\x1b[J")
	t.drawn = t.drawn[:0]
	for i, line := range lines {
		if i > 0 {
			out.WriteString("\r\n")
		}
		// In the last column some terminals begin a new line, and some wait for one more character.
		line = Fit(line, columns-1)
		out.WriteString(line)
		t.drawn = append(t.drawn, line)
	}
	_, _ = io.WriteString(t.file, out.String())
}

// rowsOf returns how many rows lines take after the terminal's width has changed, for a terminal that wraps them then.
func rowsOf(lines []string, columns int) (rows int) {
	for _, line := range lines {
		rows += max(1, (uniseg.StringWidth(line)+columns-1)/columns)
	}
	return rows
}

// End leaves what was drawn last, and ends its line.
func (t *Terminal) End() {
	if len(t.drawn) > 0 {
		_, _ = io.WriteString(t.file, "\r\n")
	}
	t.drawn = nil
}

// Fit returns s as one line of so many columns at most. A longer one ends with "…".
func Fit(s string, columns int) string {
	const longest = 8 // characters in a column
	if s == "" || columns <= 0 {
		return ""
	}
	s = text.Line(s, longest*columns)
	if uniseg.StringWidth(s) <= columns {
		return s
	}
	fits, rest, state, width := 0, s, -1, 0
	for rest != "" {
		cluster, after, wide, next := uniseg.FirstGraphemeClusterInString(rest, state)
		if width+wide > columns-1 {
			break
		}
		fits, width, rest, state = fits+len(cluster), width+wide, after, next
	}
	return s[:fits] + "…"
}

// Width returns how many columns a line takes.
func Width(s string) int { return uniseg.StringWidth(s) }

// Bar returns a bar of so many columns that shows a part of a whole. It is full only if the part is the whole.
func Bar(part, whole, columns int) string {
	full := 0
	if whole > 0 {
		full = min(max(part, 0)*columns/whole, columns)
	}
	return strings.Repeat("█", full) + strings.Repeat("░", columns-full)
}
