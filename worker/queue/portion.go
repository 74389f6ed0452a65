package queue

import "strconv"

// Portion is a number of items, or a share of them.
type Portion struct {
	Items   int
	Percent float64 // of the items, in place of a number of them, if it is not 0
}

// Of returns how many of so many items the portion is, rounded down.
func (p Portion) Of(items int) int {
	if p.Percent > 0 {
		return int(p.Percent*float64(items)/100 + 1e-6) // 0.57 % of 10,000 are 57
	}
	return p.Items
}

// Twice returns twice the portion.
func (p Portion) Twice() Portion { return Portion{2 * p.Items, min(2*p.Percent, 100)} }

// Less reports whether the portion is less than another one, whatever the items. A number and a share cannot be compared.
func (p Portion) Less(than Portion) bool {
	return (p.Percent > 0) == (than.Percent > 0) && (p.Items < than.Items || p.Percent < than.Percent)
}

// String returns the portion as a number, with a % at its end if it is a share.
func (p Portion) String() string {
	if p.Percent > 0 {
		return strconv.FormatFloat(p.Percent, 'f', -1, 64) + "%"
	}
	return strconv.Itoa(p.Items)
}
