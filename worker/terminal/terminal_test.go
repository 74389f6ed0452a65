package terminal

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestFit(t *testing.T) {
	for _, test := range []struct {
		s       string
		columns int
		want    string
	}{
		{"", 10, ""},
		{"ten bytes.", 10, "ten bytes."},
		{"eleven byte", 10, "eleven by…"},
		{"日本語日本語", 10, "日本語日…"}, // two columns each
		{"日本語", 6, "日本語"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"}, // a letter and its accent are one character
		{"a\tb\x1b[31m\nc", 20, "a·b·[31m·c"},
		{"\xff", 20, `"\xff"`},
		{"x", 0, ""},
		{"xy", 1, "…"},
	} {
		if got := Fit(test.s, test.columns); got != test.want {
			t.Errorf("%q in %d columns: %q, want %q", test.s, test.columns, got, test.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s, columns := rapid.String().Draw(t, "text"), rapid.IntRange(0, 40).Draw(t, "columns")
		got := Fit(s, columns)
		if Width(got) > columns || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\x1b\t") {
			t.Errorf("%q in %d columns: %q", s, columns, got)
		}
	})
}

func TestBar(t *testing.T) {
	for _, test := range []struct {
		part, whole int
		want        string
	}{
		{0, 0, "░░░░░"}, {0, 9, "░░░░░"}, {5, 9, "██░░░"}, {999, 1000, "████░"}, {1000, 1000, "█████"}, {12, 10, "█████"}, {-1, 10, "░░░░░"},
	} {
		if got := Bar(test.part, test.whole, 5); got != test.want {
			t.Errorf("%d of %d: %s, want %s", test.part, test.whole, got, test.want)
		}
	}
}

// TestRowsOf: lines that a narrower terminal has wrapped are gone with the next Draw.
func TestRowsOf(t *testing.T) {
	for _, test := range []struct {
		lines   []string
		columns int
		want    int
	}{
		{nil, 10, 0}, {[]string{""}, 10, 1}, {[]string{"0123456789"}, 10, 1}, {[]string{"0123456789a", "b"}, 10, 3}, {[]string{"日本語"}, 5, 2},
	} {
		if got := rowsOf(test.lines, test.columns); got != test.want {
			t.Errorf("%q in %d columns: %d rows, want %d", test.lines, test.columns, got, test.want)
		}
	}
}

// TestTable: into a file, no cell is cut and nothing has a colour.
func TestTable(t *testing.T) {
	var out strings.Builder
	table := NewTable(&out, nil, Column{Name: "ITEM"}, Column{Name: "STATE"}, Column{Name: "WHY"})
	long := strings.Repeat("x", 300)
	for _, row := range [][]Cell{{{"日本", Plain}, {"done", Good}, {"", Plain}}, {{"a", Plain}, {"failed", Bad}, {long, Plain}}} {
		if err := table.Row(row...); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "ITEM  STATE   WHY\n日本  done\na     failed  " + long + "\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// TestPaint: only a terminal gets colours.
func TestPaint(t *testing.T) {
	for _, test := range []struct {
		name          string
		noColor, term string
		terminal      *Terminal
		want          string
	}{
		{"a terminal", "", "xterm", &Terminal{}, "\x1b[31mdead\x1b[0m"},
		{"a file", "", "xterm", nil, "dead"},
		{"NO_COLOR", "1", "xterm", &Terminal{}, "dead"},
		{"TERM=dumb", "", "dumb", &Terminal{}, "dead"},
	} {
		t.Setenv("NO_COLOR", test.noColor)
		t.Setenv("TERM", test.term)
		if got := test.terminal.Paint("dead", Bad); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
