package queue

import (
	"math"
	"strconv"
)

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

// Twice returns twice the portion, as far as there is such a number or share.
func (p Portion) Twice() Portion {
	return Portion{p.Items + min(p.Items, math.MaxInt-p.Items), min(2*p.Percent, 100)}
}

// Within reports whether so many items are certainly no more than another portion, a limit: it is no larger a number, or a smaller
// share. A number and a share cannot be compared.
func (p Portion) Within(limit Portion) bool {
	if p.Percent > 0 {
		return p.Percent < limit.Percent
	}
	return limit.Percent == 0 && p.Items <= limit.Items
}

// String returns the portion as a number, with a % at its end if it is a share.
func (p Portion) String() string {
	if p.Percent > 0 {
		return strconv.FormatFloat(p.Percent, 'f', -1, 64) + "%"
	}
	return strconv.Itoa(p.Items)
}
