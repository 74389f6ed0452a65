package terminal

import "os"

// Colour is a colour of text. It means the same everywhere.
type Colour string

// The colours.
const (
	Plain Colour = ""
	Good  Colour = "\x1b[32m" // green
	Bad   Colour = "\x1b[31m" // red
	Warn  Colour = "\x1b[33m" // yellow
)

const endColour = "\x1b[0m"

// colours reports whether colours are wanted: see https://no-color.org.
func colours() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// Paint returns a text in a colour, for a terminal, or as it is if there is none or no colours are wanted.
func (t *Terminal) Paint(s string, colour Colour) string {
	if t == nil || colour == Plain || s == "" || !colours() {
		return s
	}
	return string(colour) + s + endColour
}
