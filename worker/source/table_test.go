package source

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// tables generates a header and rows of fields in which any character may be that is not one of those in without.
func tables(without string) *rapid.Generator[[][]string] {
	character := rapid.Map(rapid.OneOf(rapid.SampledFrom([]rune("\",;\t\r\n ' \ufeff\u2028é")), rapid.Rune()), func(r rune) rune {
		if strings.ContainsRune(without, r) {
			return '"'
		}
		return r
	})
	return rapid.Custom(func(t *rapid.T) [][]string {
		width := rapid.IntRange(1, 4).Draw(t, "columns")
		header := []string{"a", "b", "c", "d"}[:width]
		row := rapid.SliceOfN(rapid.StringOfN(character, 0, 6, -1), width, width)
		return append([][]string{header}, rapid.SliceOfN(row, 0, 5).Draw(t, "rows")...)
	})
}

// arrives holds a table that is written as a text against the items that come of it.
func arrives(t *rapid.T, layout Layout, text string, table [][]string) {
	items, err := read(text, layout)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var want [][]string
	for _, row := range table[1:] {
		if strings.Join(row, "") != "" { // such a row is no item
			want = append(want, row)
		}
	}
	var got [][]string
	for _, item := range items {
		var object map[string]string
		if err := json.Unmarshal([]byte(item), &object); err != nil {
			t.Fatalf("%q: %q: %v", text, item, err)
		}
		row := make([]string, len(table[0]))
		for i, name := range table[0] {
			row[i] = object[name]
		}
		got = append(got, row)
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Fatalf("%q: got %q, want %q", text, got, want)
	}
}

var lineEnds = rapid.SampledFrom([]string{"\n", "\r\n"})

// TestTSVArrives: whatever fields have no tab and no line end, they arrive byte for byte.
func TestTSVArrives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := tables("\t\r\n\x00").Draw(t, "table")
		lineEnd := lineEnds.Draw(t, "line end")
		var text strings.Builder
		for _, row := range table {
			text.WriteString(strings.Join(row, "\t") + lineEnd)
		}
		arrives(t, Layout{TSV, '\n'}, text.String(), table)
	})
}

// TestCSVArrives: whatever fields there are, they arrive byte for byte.
func TestCSVArrives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := tables("\x00").Draw(t, "table")
		lineEnd := lineEnds.Draw(t, "line end")
		var text strings.Builder
		for _, row := range table {
			for i, field := range row {
				if i > 0 {
					text.WriteByte(',')
				}
				if strings.ContainsAny(field, "\",\r\n") || rapid.Bool().Draw(t, "quoted") {
					field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
				}
				text.WriteString(field)
			}
			text.WriteString(lineEnd)
		}
		arrives(t, Layout{CSV, '\n'}, strings.TrimSuffix(text.String(), lineEnd), table)
	})
}

// TestWideTables: what a header costs grows with its columns alone. Were each name compared with all others, this would take hours.
func TestWideTables(t *testing.T) {
	t.Parallel()
	const columns = 1_000_000
	var header strings.Builder
	for i := range columns {
		header.WriteString(strconv.Itoa(i))
		header.WriteByte(',')
	}
	items, err := read(header.String()+"last\n1"+strings.Repeat(",", columns)+"\n", Layout{CSV, '\n'})
	if err != nil || len(items) != 1 {
		t.Errorf("%d items, %v", len(items), err)
	}
	_, err = read(header.String()+"7\n", Layout{CSV, '\n'})
	if line := (*LineError)(nil); !errors.As(err, &line) || !strings.Contains(line.Problem, `the name "7" twice`) {
		t.Errorf("got %v", err)
	}
}
