package report

import (
	"fmt"
	"math"
	"time"
)

// Duration returns how long something took, as exact as a person wants to know it. The page's span writes the same.
func Duration(d time.Duration) string {
	switch seconds := d.Seconds(); {
	case seconds < 0.0005:
		return "<1 ms"
	case seconds < 0.9995:
		return fmt.Sprintf("%.0f ms", math.Round(1000*seconds))
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 120:
		return fmt.Sprintf("%.0f s", math.Round(seconds))
	case seconds < 7200:
		return fmt.Sprintf("%.0f min", math.Round(seconds/60))
	default:
		return fmt.Sprintf("%.1f h", seconds/3600)
	}
}

// Rate returns how often something happens, per second, or per minute or hour if that is rarer.
func Rate(perSecond float64) string {
	switch {
	case perSecond == 0 || perSecond >= 0.1:
		return fmt.Sprintf("%.1f/s", perSecond)
	case perSecond >= 0.1/60:
		return fmt.Sprintf("%.1f/min", 60*perSecond)
	}
	return fmt.Sprintf("%.1f/h", 3600*perSecond)
}
