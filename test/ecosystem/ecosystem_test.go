// Package ecosystem runs the chart beside what people run it with: KEDA, Kueue, Argo CD's engine, Prometheus with its operator, the
// metrics server. test/ecosystem/up puts those into a cluster.
package ecosystem

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/test/kube"
)

const (
	chart    = "../../charts/workqueue"
	examples = "../../values-examples/"
	worker   = "app.kubernetes.io/component=worker" // the label of the worker Job or Deployment, and of its pods
	patient  = 10 * time.Minute                     // far more than anything here takes
)

func TestMain(m *testing.M) {
	os.Exit(kube.Main(m, "3"))
}

// release is a release of the chart in a namespace of its own.
type release struct {
	*kube.Namespace
	major  string            // which Helm
	file   string            // of values
	values map[string]string // more of them, as JSON
}

// newRelease makes the namespace of a release that is yet to be installed, with a file of values and more values as JSON, which
// win. If the test fails, what happened in the namespace is printed.
func newRelease(t *testing.T, name, file string, values map[string]string) *release {
	t.Helper()
	r := &release{Namespace: kube.NewNamespace(t, name), major: "helm4", file: file, values: values}
	t.Cleanup(r.ReportIfFailed)
	return r
}

// needs skips the test of a program whose object is not in the cluster.
func needs(t *testing.T, name, object string) {
	t.Helper()
	if out, err := exec.Command("kubectl", "get", object).CombinedOutput(); err != nil {
		t.Skipf("%s is not in the cluster; test/ecosystem/up %s puts it there: %s", name, name, out)
	}
}

// helm installs or upgrades the release, with its values, or prints its manifests (install, upgrade, template).
func (r *release) helm(verb string) string {
	r.Helper()
	out, err := r.Helm(r.major, append([]string{verb, kube.Release, chart}, kube.Values([]string{r.file}, r.values)...)...)
	if err != nil {
		r.Fatalf("%s %s: %v", r.major, verb, err)
	}
	return out
}

// script is a worker.command that runs a shell script, with the item as $1.
func script(text string) string {
	command, _ := json.Marshal([]string{"sh", "-c", text, "sh", "{}"})
	return string(command)
}

// image is the image of the program that the workers run, as a value.
func image(t *testing.T) string { return strconv.Quote(kube.ProgramImage(t)) }

// counts is what the monitor says of the run; see docs/monitor.md.
type counts struct{ Open, Ready, Leased, Delayed, Done, Dead, Total int }

// counts asks the monitor through the API server, and returns nothing while it cannot be reached.
func (r *release) counts() (c counts) {
	out, err := r.Try("get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/services/%s-monitor:http/proxy/api/counts", r.Kubectl.Namespace, kube.Release))
	if err == nil {
		_ = json.Unmarshal([]byte(out), &c)
	}
	return c
}

// until waits for counts to come true.
func (r *release) until(what string, is func(counts) bool) {
	r.Helper()
	var last counts
	eventually(r.T, what, func() bool { last = r.counts(); return is(last) }, func() string { return fmt.Sprintf("the counts are %+v", last) })
}

// push adds items to the list in Redis, as anyone may.
func (r *release) push(list string, items ...string) {
	r.Helper()
	r.Must(append([]string{"exec", kube.Release + "-redis-0", "--", "redis-cli", "rpush", list}, items...)...)
}

// pods are the names of the worker pods that are there, on their way out or not.
func (r *release) pods() []string {
	r.Helper()
	return strings.Fields(r.Must("get", "pods", "-l", worker, "-o", "name"))
}

// has waits for so many worker pods.
func (r *release) has(pods int) {
	r.Helper()
	var now []string
	eventually(r.T, fmt.Sprintf("there are %d worker pods", pods), func() bool { now = r.pods(); return len(now) == pods },
		func() string { return "there are " + strings.Join(now, " ") })
}

// field reads a field of an object such as deployment/run-worker, or of all of a kind, by a path such as .spec.suspend. Jobs are the worker Jobs.
func (r *release) field(path, object string) string {
	r.Helper()
	args := []string{"get", object}
	if object == "jobs" {
		args = append(args, "-l", worker)
	}
	if !strings.Contains(object, "/") {
		path = ".items[*]" + path
	}
	return r.Must(append(args, "-o", "jsonpath={"+path+"}")...)
}

// becomes waits for a field to have a value.
func (r *release) becomes(wanted, path, object string) {
	r.Helper()
	var now string
	eventually(r.T, fmt.Sprintf("%s of %s is %q", path, object, wanted),
		func() bool { now = r.field(path, object); return now == wanted },
		func() string { return fmt.Sprintf("it is %q", now) })
}

// verify runs helm test, which waits for the end of the run, and returns its report.
func (r *release) verify(wanted ...string) {
	r.Helper()
	report, err := r.Helm(r.major, "test", kube.Release, "--logs")
	if err != nil {
		r.Errorf("helm test: %v", err)
	}
	kube.WantText(r.T, report, wanted...)
}

func eventually(t *testing.T, what string, is func() bool, found func() string) {
	t.Helper()
	kube.Eventually(t, patient, what, is, found)
}

// numbered are so many items.
func numbered(stem string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%s-%d", stem, i+1))
	}
	return slices.Clip(all)
}
