package ecosystem

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/test/built"
)

// TestGitOps delivers the chart without hooks by the engine of Argo CD, with its order, its hooks and its pruning: twice in the middle of a run,
// with another command, with other items, and after the end. What runs must not notice, and nothing stays out of sync.
func TestGitOps(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("../../bin/ecosystem/gitops"); err != nil {
		t.Skipf("%v; test/ecosystem/up gitops-engine builds it", err)
	}
	r := newRelease(t, "gitops", examples+"fruits.yaml", map[string]string{
		"hooks.enabled":   "false",
		"itemsFrom.range": `{"start": 1, "end": 391}`, // more than a slow machine can finish before the command changes
		"worker.image":    image(t),
		"worker.command":  script("echo slow $1; sleep 3"),
	})
	r.sync()
	r.until("the workers work", func(c counts) bool { return c.Done > 0 && c.Leased == 2 })
	before := r.Identities()
	r.sync()
	if after := r.Identities(); before != after {
		t.Errorf("a second sync of the same made of\n%s\nthis:\n%s", before, after)
	}
	if c := r.counts(); c.Total != 400 {
		t.Errorf("400 items were seeded, and now there are %+v", c)
	}

	// Another command takes over where the former was.
	r.values["worker.command"] = script("echo fast $1")
	r.sync()
	r.until("all 400 items are done", func(c counts) bool { return c.Done == 400 && c.Total == 400 })
	r.becomes("True", `.status.conditions[?(@.type=="Complete")].status`, "jobs")
	if logs := r.Must("logs", "-l", worker, "--tail=-1", "--prefix"); strings.Contains(logs, "fast apple") {
		t.Errorf("the second Job began from the beginning:\n%s", logs)
	}

	// After the end a sync does nothing, and a seed Job that somebody has deleted seeds nothing twice.
	before = r.Identities()
	r.sync()
	if after := r.Identities(); before != after {
		t.Errorf("a sync after the end made of\n%s\nthis:\n%s", before, after)
	}
	const seed = "app.kubernetes.io/component=seed"
	r.Must("delete", "jobs", "-l", seed, "--wait")
	r.sync()
	r.Must("wait", "job", "-l", seed, "--for=condition=Complete", "--timeout=2m")
	if c := r.counts(); c.Total != 400 || c.Open != 0 {
		t.Errorf("after another seed Job the counts are %+v", c)
	}

	// Other items are another run. What is left of the former is pruned.
	delete(r.values, "itemsFrom.range")
	r.values["items"] = `["kiwi", "lime"]`
	r.sync()
	r.until("the new run is done", func(c counts) bool { return c.Done == 2 && c.Total == 2 })
	eventually(t, "the former run is pruned", func() bool {
		return len(strings.Fields(r.Must("get", "jobs", "-l", worker, "-o", "name"))) == 1 &&
			len(strings.Fields(r.Must("get", "jobs,configmaps", "-l", seed, "-o", "name"))) == 2
	}, func() string { return r.Must("get", "jobs,configmaps", "-o", "name") })
}

// sync renders the chart and has Argo CD's engine apply it.
func (r *release) sync() {
	r.Helper()
	engine := exec.CommandContext(r.Context(), built.Tool(r.T, "ecosystem/gitops"), r.Kubectl.Namespace)
	engine.Stdin = strings.NewReader(r.helm("template"))
	var out, failure bytes.Buffer
	engine.Stdout, engine.Stderr = &out, &failure
	if err := engine.Run(); err != nil {
		r.Fatalf("the sync failed: %v\n%s%s", err, out.String(), failure.String())
	}
	if strings.Contains(out.String(), "OutOfSync") {
		r.Errorf("right after the sync it is out of sync:\n%s", out.String())
	}
}
