// Package chaos breaks a cluster of three nodes under runs of the chart: pods, nodes, Redis, the network, the API server, the
// clock. A counter outside the cluster counts the runs of items; at the end it is compared with the Job and with Redis.
package chaos

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/workqueue/workqueue/test/kube"
)

const (
	root  = "../.."
	chart = root + "/charts/workqueue"
)

const (
	leaseTime = 10 * time.Second
	redisPod  = kube.Release + "-redis-0"
)

var (
	items   = 2000                                // in each run
	indexed = os.Getenv("CHAOS_INDEXED") == "yes" // the worker Job
)

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv("CHAOS_ITEMS")); err == nil {
		items = n
	}
	os.Exit(kube.Main(m, "1"))
}

// plain matches what a test's name must not contain: the name becomes a folder's, and kubectl splits paths at commas.
var plain = regexp.MustCompile("[^A-Za-z0-9]+")

// TestChaos runs the same items once for each fault, and once without any.
func TestChaos(t *testing.T) {
	c := findCluster(t)
	c.heal(t)
	report := newReport(t, c)
	for _, f := range faults {
		t.Run(plain.ReplaceAllString(f.name, "-"), func(t *testing.T) {
			values := map[string]string{}
			if f.values != nil {
				values = f.values(c)
			}
			if f.loses {
				values["test.timeout"] = `"20s"` // helm test cannot tell a lost queue from one that is not seeded yet
			}
			r := newRun(t, c, values)
			if f.before != nil {
				f.before(r)
			}
			r.install()
			times := 0
			if f.do != nil {
				times = f.do(r)
			}
			res := r.wait()
			res.lost -= len(f.dead)
			t.Logf("%s (%s) after %v, counted after %v; %d lost, %d again", res.end.Type, res.end.Reason, res.took, res.counted, res.lost, res.again)
			f.judge(r, res)
			report.add(f, times, res, t.Failed())
		})
	}
	fmt.Println("\n" + report.rows.String())
}

// judge compares the counter with the Job and with helm test.
func (f *fault) judge(r *run, res result) {
	r.Helper()
	printed, err := r.verify()
	if f.loses {
		f.judgeLoss(r, res, printed, err)
		return
	}
	if res.end.Type != batchv1.JobComplete {
		r.Errorf("the worker Job is %s: %s %s", res.end.Type, res.end.Reason, res.end.Message)
	}
	if missing := r.missing(); !slices.Equal(missing, f.dead) {
		r.Errorf("the items %v were never counted, where only %v should not be", missing, f.dead)
	}
	if err != nil {
		r.Errorf("helm test: %v\n%s", err, printed)
	}
	// Redis and the counter agree, whatever ran twice.
	if done := fmt.Sprint(items - len(f.dead)); strings.Join(strings.Fields(line(printed, "done")), " ") != "done "+done {
		r.Errorf("%s items should be done:\n%s", done, printed)
	}
}

// judgeLoss demands that a run which has lost its queue fails and says so.
func (f *fault) judgeLoss(r *run, res result, printed string, err error) {
	r.Helper()
	if res.end.Type != batchv1.JobFailed || res.end.Reason != "PodFailurePolicy" || !strings.Contains(res.end.Message, "exit code 70") {
		r.Errorf("the worker Job is %s: %s %s; it should be Failed, by exit code 70", res.end.Type, res.end.Reason, res.end.Message)
	}
	if err == nil {
		r.Errorf("helm test passed over a queue that is lost:\n%s", printed)
	}
}

// line returns the first line of a text that begins with a word.
func line(text, word string) string {
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, word+" ") {
			return l
		}
	}
	return ""
}
