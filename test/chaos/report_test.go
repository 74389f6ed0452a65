package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// report is the table of faults, for docs/faults.md.
type report struct {
	t           *testing.T
	undisturbed result
	rows        strings.Builder
}

func newReport(t *testing.T, c *cluster) *report {
	r := &report{t: t}
	fmt.Fprintf(&r.rows, "%s. %d items a run, lease %v, cgroup %s.\n\n", time.Now().Format(time.DateOnly), items, leaseTime, c.cgroup(t))
	r.rows.WriteString("| fault | times | items lost | executed twice | all items done | Job ended | what you see |\n|---|--:|--:|--:|--:|--:|---|\n")
	return r
}

func (r *report) add(f *fault, times int, res result) {
	if f.name == "none" {
		r.undisturbed = res
		fmt.Fprintf(&r.rows, "| none | | %d | %s | %.0f s | %.0f s | %s |\n", res.lost, repeats(res), res.counted.Seconds(), res.took.Seconds(), f.sees)
		return
	}
	lost, counted := fmt.Sprint(res.lost), extra(res.counted, r.undisturbed.counted)
	if f.loses {
		lost, counted = fmt.Sprintf("%d not run, and it says so", res.lost), "never"
	}
	fmt.Fprintf(&r.rows, "| %s | %d | %s | %s | %s | %s | %s |\n", f.name, times, lost, repeats(res), counted, extra(res.took, r.undisturbed.took), f.sees)
}

func repeats(res result) string {
	return fmt.Sprintf("%d (%.1f %%)", res.again, 100*float64(res.again)/float64(items))
}

// extra is how much longer a run took than the undisturbed one, if there was one.
func extra(took, undisturbed time.Duration) string {
	if undisturbed == 0 {
		return fmt.Sprintf("%.0f s", took.Seconds())
	}
	return fmt.Sprintf("%+.0f s", (took - undisturbed).Seconds())
}

func (r *report) print() { fmt.Println("\n" + r.rows.String()) }

// cgroup is the version that the nodes have.
func (c *cluster) cgroup(t *testing.T) string {
	return strings.TrimSpace(c.control.run(t, "test -e /sys/fs/cgroup/cgroup.controllers && echo v2 || echo v1"))
}
