package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/gruntwork-io/terratest/modules/logger"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	release = "run"
	workers = "app.kubernetes.io/component=worker" // the label of the worker Job and its pods

	// What is run for each item: $1 is the counter, $2 the item.
	each = `sleep 0.4; exec wget -q -O /dev/null "$1/count/$2/$HOSTNAME"`
)

// run is a release in a namespace of its own, whose items are counted outside.
type run struct {
	*testing.T
	*cluster
	*counter
	kubectl *k8s.KubectlOptions
	values  map[string]string // as JSON
	began   time.Time
}

// result is how a run went.
type result struct {
	end     batchv1.JobCondition
	counted time.Duration // until each item was counted
	took    time.Duration // until the Job had ended
	lost    int
	again   int
}

// newRun makes the namespace and the counter, and says what is installed. If the test fails, what happened is printed.
func newRun(t *testing.T, c *cluster, values map[string]string) *run {
	t.Helper()
	name := fmt.Sprintf("chaos-%d", time.Now().UnixNano()%1e9)
	r := &run{T: t, cluster: c, counter: newCounter(t, c.gateway, items), kubectl: k8s.NewKubectlOptions("", "", name)}
	r.kubectl.Logger = logger.Discard
	r.values = map[string]string{
		"itemsFrom.range":                      fmt.Sprintf(`{"start": 1, "end": %d}`, items),
		"worker.image":                         fmt.Sprintf("%q", programImage(t)),
		"worker.command":                       r.program(each),
		"worker.parallelism":                   "6",
		"worker.concurrency":                   "8",
		"worker.lease":                         fmt.Sprintf("%q", leaseTime),
		"worker.terminationGracePeriodSeconds": "10",
		"worker.topologySpreadConstraints": `[{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
			"labelSelector": {"matchLabels": {"app.kubernetes.io/component": "worker"}}}]`,
		"redis.nodeSelector": fmt.Sprintf(`{"kubernetes.io/hostname": %q}`, c.workers[0]),
	}
	for name, value := range values {
		if value == "" {
			delete(r.values, name)
		} else {
			r.values[name] = value
		}
	}
	k8s.CreateNamespaceWithMetadataContext(t, t.Context(), r.kubectl, metav1.ObjectMeta{
		Name:   name,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	})
	t.Cleanup(func() {
		if t.Failed() {
			r.tell()
		}
		c.heal(t)
		_, _ = r.try("delete", "namespace", name, "--wait=false")
	})
	return r
}

// program is a worker.command of a shell script.
func (r *run) program(script string) string {
	r.Helper()
	command, err := json.Marshal([]string{"sh", "-c", script, "item", r.url, "{}"})
	if err != nil {
		r.Fatal(err)
	}
	return string(command)
}

// tell prints what a person would look at to find out why a run failed.
func (r *run) tell() {
	for _, args := range [][]string{
		{"get", "all", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
		{"logs", "--prefix", "--tail=20", "--all-containers", "--ignore-errors", "-l", "app.kubernetes.io/instance=" + release},
	} {
		out, _ := r.try(args...)
		r.Logf("kubectl %s\n%s", strings.Join(args, " "), out)
	}
}

// try runs kubectl in the namespace, even when the test is over.
func (r *run) try(args ...string) (string, error) {
	return k8s.RunKubectlAndGetOutputContextE(r.T, context.Background(), r.kubectl, args...)
}

// kube runs kubectl in the namespace, and must succeed.
func (r *run) kube(args ...string) string {
	r.Helper()
	out, err := r.try(args...)
	if err != nil {
		r.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (r *run) options() *helm.Options {
	return &helm.Options{KubectlOptions: r.kubectl, ValuesFiles: []string{r.cluster.values}, SetJSONValues: r.values, Logger: logger.Discard}
}

// install installs the chart. With it the run begins.
func (r *run) install() {
	r.Helper()
	if err := helm.InstallContextE(r, r.Context(), r.options(), chart, release); err != nil {
		r.Fatalf("helm install: %v", err)
	}
	r.began = time.Now()
}

// upgrade upgrades the release to the values that the run has now.
func (r *run) upgrade() {
	r.Helper()
	if err := helm.UpgradeContextE(r, r.Context(), r.options(), chart, release); err != nil {
		r.Fatalf("helm upgrade: %v", err)
	}
}

// reach waits until a share of the items was counted.
func (r *run) reach(percent int) {
	r.Helper()
	counted := func() int { n, _ := r.done(); return n }
	eventually(r.T, 90*time.Second, fmt.Sprintf("%d %% of the items are counted", percent),
		func() bool { return 100*counted() >= percent*items },
		func() string { return fmt.Sprintf("%d of %d are", counted(), items) })
}

// job is the worker Job, the newest if there are two.
func (r *run) job() (job batchv1.Job, err error) {
	out, err := r.try("get", "jobs", "-l", workers, "--sort-by=.metadata.creationTimestamp", "-o", "json", "--request-timeout=5s")
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

// ended is the condition with which the worker Job has ended, nil before.
func (r *run) ended() *batchv1.JobCondition {
	job, err := r.job()
	if err != nil {
		return nil // the API server may be away
	}
	for _, condition := range job.Status.Conditions {
		if condition.Status == corev1.ConditionTrue &&
			(condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) {
			return &condition
		}
	}
	return nil
}

// wait waits until the worker Job has ended, and takes the accounts of the run.
func (r *run) wait() (res result) {
	r.Helper()
	eventually(r.T, 4*time.Minute, "the worker Job ends", func() bool {
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

// verify is helm test: what it printed, and whether it passed.
func (r *run) verify() (string, error) {
	return helm.RunHelmCommandAndGetStdOutContextE(r, r.Context(), r.options(), "test", release, "--logs")
}

// running waits for at least so many worker pods that run, and names all that do, those on one node or everywhere.
func (r *run) running(least int, on node) (pods []string) {
	r.Helper()
	selector := "status.phase=Running"
	if on != "" {
		selector += ",spec.nodeName=" + string(on)
	}
	eventually(r.T, time.Minute, fmt.Sprintf("%d worker pods run %s", least, on), func() bool {
		pods = strings.Fields(r.kube("get", "pods", "-l", workers, "--field-selector", selector, "-o", "name"))
		return len(pods) >= least
	}, func() string { return fmt.Sprint(pods) })
	return pods
}
