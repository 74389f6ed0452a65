package chaos

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/logger"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/workqueue/workqueue/test/kube"
)

const (
	workers = "app.kubernetes.io/component=worker" // the label of the worker Job and its pods

	// The command of each item: $1 is the counter, $2 the item.
	each = `sleep 0.4; exec wget -q -O /dev/null "$1/count/$2/$HOSTNAME"`
)

// run is a release in a namespace of its own, with a counter outside the cluster.
type run struct {
	*kube.Namespace
	*cluster
	*counter
	values map[string]string // as JSON
	began  time.Time
}

// result is how a run went.
type result struct {
	end     batchv1.JobCondition
	counted time.Duration // until each item was counted
	took    time.Duration // until the Job had ended
	lost    int
	again   int
}

// newRun makes the namespace, the counter and the values. If the test fails, it prints what a person would look at.
func newRun(t *testing.T, c *cluster, values map[string]string) *run {
	t.Helper()
	r := &run{Namespace: kube.NewNamespace(t, "chaos"), cluster: c, counter: newCounter(t, c.gateway, items)}
	// In this order: print what happened, undo the fault, remove the namespace.
	t.Cleanup(func() { c.heal(t) })
	t.Cleanup(r.ReportIfFailed)
	r.values = map[string]string{
		"itemsFrom.range":                      fmt.Sprintf(`{"start": 1, "end": %d}`, items),
		"worker.image":                         fmt.Sprintf("%q", kube.ProgramImage(t)),
		"worker.command":                       r.program(each),
		"worker.parallelism":                   "6",
		"worker.concurrency":                   "8",
		"worker.lease":                         fmt.Sprintf("%q", leaseTime),
		"worker.terminationGracePeriodSeconds": "10",
		"worker.topologySpreadConstraints": `[{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
			"labelSelector": {"matchLabels": {"app.kubernetes.io/component": "worker"}}}]`,
		"redis.nodeSelector": fmt.Sprintf(`{"kubernetes.io/hostname": %q}`, c.workers[0]),
	}
	if indexed {
		r.values["worker.indexed"] = "true"
	}
	for name, value := range values {
		if value == "" {
			delete(r.values, name)
		} else {
			r.values[name] = value
		}
	}
	return r
}

// program returns a worker.command that runs a shell script.
func (r *run) program(script string) string {
	r.Helper()
	command, err := json.Marshal([]string{"sh", "-c", script, "item", r.url, "{}"})
	if err != nil {
		r.Fatal(err)
	}
	return string(command)
}

func (r *run) options() *helm.Options {
	return &helm.Options{KubectlOptions: r.Kubectl, ValuesFiles: []string{kube.ValuesFile()}, SetJSONValues: r.values, Logger: logger.Discard}
}

// install installs the chart. With it the run begins.
func (r *run) install() {
	r.Helper()
	if err := helm.InstallContextE(r, r.Context(), r.options(), chart, kube.Release); err != nil {
		r.Fatalf("helm install: %v", err)
	}
	r.began = time.Now()
}

// upgrade upgrades the release to the values that the run has now.
func (r *run) upgrade() {
	r.Helper()
	if err := helm.UpgradeContextE(r, r.Context(), r.options(), chart, kube.Release); err != nil {
		r.Fatalf("helm upgrade: %v", err)
	}
}

// reach waits until a share of the items was counted.
func (r *run) reach(percent int) {
	r.Helper()
	counted := func() int { n, _ := r.done(); return n }
	kube.Eventually(r.T, 90*time.Second, fmt.Sprintf("%d %% of the items are counted", percent),
		func() bool { return 100*counted() >= percent*items },
		func() string { return fmt.Sprintf("%d of %d are", counted(), items) })
}

// job returns the worker Job, the newest if there are two.
func (r *run) job() (job batchv1.Job, err error) {
	out, err := r.Try("get", "jobs", "-l", workers, "--sort-by=.metadata.creationTimestamp", "-o", "json", "--request-timeout=5s")
	var list batchv1.JobList
	if err == nil {
		err = json.Unmarshal([]byte(out), &list)
	}
	if err == nil && len(list.Items) == 0 {
		err = fmt.Errorf("there is no worker Job")
	}
	if err == nil {
		job = list.Items[len(list.Items)-1]
	}
	return job, err
}

// ended returns the condition with which the worker Job has ended, nil before.
func (r *run) ended() *batchv1.JobCondition {
	job, err := r.job()
	if err != nil {
		return nil // the API server may be away
	}
	return kube.End(&job)
}

// wait waits until the worker Job has ended, and returns the result of the run.
func (r *run) wait() (res result) {
	r.Helper()
	kube.Eventually(r.T, 4*time.Minute, "the worker Job ends", func() bool {
		end := r.ended()
		if end != nil {
			res.end = *end
		}
		return end != nil
	}, func() string {
		job, err := r.job()
		n, _ := r.done()
		return fmt.Sprintf("%d of %d items are counted, its status is %+v %v", n, items, job.Status, err)
	})
	_, last := r.done()
	res.took, res.counted = time.Since(r.began), last.Sub(r.began)
	res.lost, res.again = len(r.missing()), r.again()
	for path, err := range r.strange {
		r.Errorf("a strange call of the counter: %s: %v", path, err)
	}
	return res
}

// verify runs helm test. It returns what that printed, and an error if it failed.
func (r *run) verify() (string, error) {
	return helm.RunHelmCommandAndGetStdOutContextE(r, r.Context(), r.options(), "test", kube.Release, "--logs")
}

// running waits until at least so many worker pods run, on one node or anywhere, and returns their names.
func (r *run) running(least int, on node) (pods []string) {
	r.Helper()
	selector := "status.phase=Running"
	if on != "" {
		selector += ",spec.nodeName=" + string(on)
	}
	kube.Eventually(r.T, time.Minute, fmt.Sprintf("%d worker pods run %s", least, on), func() bool {
		pods = strings.Fields(r.Must("get", "pods", "-l", workers, "--field-selector", selector, "-o", "name"))
		return len(pods) >= least
	}, func() string { return fmt.Sprint(pods) })
	return pods
}
