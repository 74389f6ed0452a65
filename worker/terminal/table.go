package terminal

import (
	"io"
	"strings"
)

const (
	gap       = 2   // columns between two cells
	narrowest = 6   // columns of a cell that is cut
	measured  = 500 // rows by which the columns are measured; those that follow are cut to fit
)

// Column is a column of a table.
type Column struct {
	Name  string
	Whole bool // others are cut first
}

// Cell is a text in a table.
type Cell struct {
	Text   string
	Colour Colour
}

// Table prints rows in columns. On a terminal no row is longer than a line of it.
type Table struct {
	out      io.Writer
	terminal *Terminal // nil if it is none
	columns  []Column
	waiting  [][]Cell
	widths   []int // nil until they are known
}

// NewTable returns a table on a writer, which leads to the terminal if there is one.
func NewTable(out io.Writer, terminal *Terminal, columns ...Column) *Table {
	header := make([]Cell, len(columns))
	for i, column := range columns {
		header[i] = Cell{Text: column.Name}
	}
	return &Table{out: out, terminal: terminal, columns: columns, waiting: [][]Cell{header}}
}

// Row adds a row.
func (t *Table) Row(cells ...Cell) error {
	if t.widths != nil {
		return t.print(cells)
	}
	t.waiting = append(t.waiting, cells)
	if len(t.waiting) > measured && t.terminal != nil {
		return t.Flush()
	}
	return nil
}

// Flush prints the rows that wait.
func (t *Table) Flush() error {
	if t.widths == nil {
		t.measure()
	}
	rows := t.waiting
	t.waiting = nil
	for _, row := range rows {
		if err := t.print(row); err != nil {
			return err
		}
	}
	return nil
}

// measure sets the widths to those of the longest cells. For a terminal it then makes the widest narrower until all fit.
func (t *Table) measure() {
	t.widths = make([]int, len(t.columns))
	total := gap * (len(t.columns) - 1)
	for i := range t.widths {
		for _, row := range t.waiting {
			t.widths[i] = max(t.widths[i], Width(row[i].Text))
		}
		total += t.widths[i]
	}
	if t.terminal == nil {
		return
	}
	for excess := total - t.terminal.Columns(); excess > 0; excess-- {
		at := t.widest(false)
		if at < 0 {
			at = t.widest(true)
		}
		if at < 0 {
			return
		}
		t.widths[at]--
	}
}

// widest returns the widest column that may be cut, -1 if there is none.
func (t *Table) widest(whole bool) (at int) {
	at = -1
	for i, width := range t.widths {
		if t.columns[i].Whole == whole && width > narrowest && (at < 0 || width > t.widths[at]) {
			at = i
		}
	}
	return at
}

func (t *Table) print(cells []Cell) error {
	var line strings.Builder
	room := -1
	if t.terminal != nil {
		room = t.terminal.Columns()
	}
	for i, cell := range cells {
		s, width := cell.Text, t.widths[i]
		if room >= 0 {
			s = Fit(s, min(width, room))
			room -= min(room, width+gap)
		}
		line.WriteString(t.terminal.Paint(s, cell.Colour))
		if i < len(cells)-1 && room != 0 {
			line.WriteString(strings.Repeat(" ", max(0, width-Width(s))+gap))
		}
	}
	_, err := io.WriteString(t.out, strings.TrimRight(line.String(), " ")+"\n")
	return err
}
