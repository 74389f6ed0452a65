package chaos

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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
	t.Helper()
	var version struct{ ServerVersion struct{ GitVersion string } }
	if err := json.Unmarshal([]byte(command(t, "kubectl", "version", "-o", "json")), &version); err != nil {
		t.Fatal(err)
	}
	r := &report{t: t}
	fmt.Fprintf(&r.rows, "%s, Kubernetes %s, cgroup %s, three nodes on one machine of %d cores. %d items a run, lease %v.\n\n",
		time.Now().Format(time.DateOnly), version.ServerVersion.GitVersion, c.cgroup(t), runtime.NumCPU(), items, leaseTime)
	r.rows.WriteString("| fault | times | items lost | executed twice | all items done | Job ended | what you see |\n|---|--:|--:|--:|--:|--:|---|\n")
	return r
}

func (r *report) add(f *fault, times int, res result, failed bool) {
	defer r.save()
	name := f.name
	if failed {
		name = "FAILED: " + name
	}
	if f.name == "none" {
		r.undisturbed = res
		fmt.Fprintf(&r.rows, "| none | | %d | %s | %.0f s | %.0f s | %s |\n", res.lost, repeats(res), res.counted.Seconds(), res.took.Seconds(), f.sees)
		return
	}
	lost, counted := fmt.Sprint(res.lost), extra(res.counted, r.undisturbed.counted)
	if f.loses {
		lost, counted = fmt.Sprintf("%d not run, and the run fails", res.lost), "never"
	}
	fmt.Fprintf(&r.rows, "| %s | %d | %s | %s | %s | %s | %s |\n", name, times, lost, repeats(res), counted, extra(res.took, r.undisturbed.took), f.sees)
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

// save leaves the table in bin/chaos.md.
func (r *report) save() {
	if err := os.WriteFile(filepath.Join(root, "bin", "chaos.md"), []byte(r.rows.String()), 0o644); err != nil {
		r.t.Error(err)
	}
}

// cgroup is the version that the nodes have.
func (c *cluster) cgroup(t *testing.T) string {
	return strings.TrimSpace(c.control.run(t, "test -e /sys/fs/cgroup/cgroup.controllers && echo v2 || echo v1"))
}
