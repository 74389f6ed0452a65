package chart

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/test/built"
)

// excused are the complaints of kube-score that are accepted, and why. A key is its check, and KIND/COMPONENT/CONTAINER: and its
// words. Fix every other complaint in the chart.
var excused = map[string]string{
	"container-image-pull-policy .*":                         "a release's tag does not change, and who wants to be sure has digests",
	"container-ephemeral-storage-request-and-limit .*":       "only you know what your program writes; the others write nothing, or the queue",
	"container-resources .*: CPU limit is not set":           "a limit throttles and protects nobody: requests share the processor",
	"container-resources .*: Memory limit is not set":        "nobody but you knows how long the queue, how large an item; a limit too small kills what holds them",
	"container-resources (Job|CronJob|Deployment)/worker/.*": "only you know what your program takes: worker.resources",

	"container-security-context-user-group-id StatefulSet/redis/redis: .*": "999 is the redis user of the usual images",
	"pod-probes-identical StatefulSet/redis/: .*":                          "the liveness probe waits longer before it restarts the container",
	"statefulset-has-servicename StatefulSet/redis/: .*":                   "the Service has an address, so that clients need not look for another after Redis is moved",

	"cronjob-has-deadline .*":                     "a run that is late is better than none; you may want another thing: cronJob.startingDeadlineSeconds",
	"deployment-has-poddisruptionbudget .*":       "a worker that is moved returns its items, and the monitor holds nothing",
	"deployment-has-host-podantiaffinity .*":      "you choose where workers run: worker.affinity, worker.topologySpreadConstraints",
	"deployment-replicas Deployment/monitor/: .*": "a page for people, whose data is in Redis",
	"horizontalpodautoscaler-replicas .*":         "one pod is enough for a short queue",
}

func TestExamplesPassKubeScore(t *testing.T) {
	t.Parallel()
	expressions, used := map[*regexp.Regexp]string{}, map[string]bool{}
	for expression := range excused {
		expressions[regexp.MustCompile("^"+expression+"$")] = expression
	}
	for name, r := range validated(t) {
		rendered, err := r.render(t)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, complaint := range kubeScore(t, rendered) {
			found := false
			for expression, text := range expressions {
				if expression.MatchString(complaint) {
					found, used[text] = true, true
				}
			}
			if !found {
				t.Errorf("%s: %s", name, complaint)
			}
		}
	}
	for expression := range excused {
		if !used[expression] {
			t.Errorf("kube-score has nothing to excuse by %q any more: take it out of excused", expression)
		}
	}
}

// kubeScore is what kube-score finds wrong, in the form that excused has.
func kubeScore(t *testing.T, manifests string) []string {
	t.Helper()
	minor := "v" + kubeVersion[:strings.LastIndex(kubeVersion, ".")]
	cmd := exec.CommandContext(t.Context(), built.Tool(t, "kube-score"), "score", "--kubernetes-version", minor, "--output-format", "json", "-")
	cmd.Stdin = strings.NewReader(manifests)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, failed := cmd.Output()
	var objects []struct {
		TypeMeta   struct{ Kind string }              `json:"type_meta"`
		ObjectMeta struct{ Labels map[string]string } `json:"object_meta"`
		Checks     []struct {
			Check    struct{ ID string }
			Grade    int
			Skipped  bool
			Comments []struct{ Path, Summary string }
		}
	}
	if err := json.Unmarshal(out, &objects); err != nil {
		t.Fatalf("%s (%v): %v\n%s", cmd, failed, err, stderr.String())
	}
	if len(objects) == 0 {
		t.Fatalf("kube-score looked at nothing in\n%s", manifests)
	}
	var complaints []string
	for _, o := range objects {
		for _, check := range o.Checks {
			if check.Skipped || check.Grade == 10 {
				continue
			}
			for _, comment := range check.Comments {
				where := o.TypeMeta.Kind + "/" + o.ObjectMeta.Labels["app.kubernetes.io/component"] + "/" + comment.Path
				complaints = append(complaints, check.Check.ID+" "+where+": "+comment.Summary)
			}
		}
	}
	return complaints
}

func TestKubeScoreFindsFaults(t *testing.T) {
	t.Parallel()
	got := strings.Join(kubeScore(t, `
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: b
      image: c
      securityContext: {privileged: true}
`), "\n")
	if want := "container-security-context-privileged Pod//b"; !strings.Contains(got, want) {
		t.Errorf("kube-score does not say %q of a privileged container: the test above cannot fail\n%s", want, got)
	}
}
