package ecosystem

import (
	"testing"
	"time"
)

const twoPods = `
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: low}
value: -1
---
apiVersion: kueue.x-k8s.io/v1beta2
kind: ResourceFlavor
metadata: {name: any}
---
apiVersion: kueue.x-k8s.io/v1beta2
kind: ClusterQueue
metadata: {name: two-pods}
spec:
  namespaceSelector: {}
  resourceGroups:
    - coveredResources: [cpu, memory, pods]
      flavors:
        - name: any
          resources: [{name: cpu, nominalQuota: 100}, {name: memory, nominalQuota: 100Gi}, {name: pods, nominalQuota: 2}]
`

const queueOfTeam = `
apiVersion: kueue.x-k8s.io/v1beta2
kind: LocalQueue
metadata: {name: batch}
spec: {clusterQueue: two-pods}
`

// TestKueue has two teams with one quota of two pods. The first release asks for four pods and makes do with two; the second waits
// until the first has ended, and then runs. An upgrade of either changes nothing of that.
func TestKueue(t *testing.T) {
	t.Parallel()
	needs(t, "kueue", "customresourcedefinition/clusterqueues.kueue.x-k8s.io")
	team := func(major, parallelism, least string) *release {
		r := newRelease(t, "kueue-"+major, examples+"kueue.yaml", map[string]string{
			"itemsFrom.range":    `{"start": 1, "end": 10}`,
			"worker.image":       image(t),
			"worker.command":     script("echo rendering $1; sleep 1"),
			"worker.parallelism": parallelism,
			"worker.annotations": `{"kueue.x-k8s.io/job-min-parallelism": "` + least + `"}`,
			"worker.resources":   `{"requests": {"cpu": "10m", "memory": "16Mi"}}`,
		})
		r.major = major
		apply(r, queueOfTeam)
		return r
	}
	first, second := team("helm3", "4", "1"), team("helm4", "2", "1")
	first.Must("label", "nodes", "--all", "--overwrite", "pool=on-demand")
	apply(first, twoPods)
	first.Cleanup(func() {
		_, _ = first.Try("delete", "clusterqueue/two-pods", "resourceflavor/any", "priorityclass/low", "--wait=false")
	})

	first.helm("install")
	first.until("the first release works", func(c counts) bool { return c.Done > 0 })
	first.Must("exec", "deploy/run-monitor", "--", "worker", "pause")
	if n := first.field(".spec.parallelism", "jobs"); n != "2" {
		t.Errorf("the first release has %s pods", n)
	}

	second.helm("install")
	second.becomes("False", `.status.conditions[?(@.type=="QuotaReserved")].status`, "workloads")
	for _, r := range []*release{first, second} {
		r.helm("upgrade")
	}
	if first.field(".spec.suspend", "jobs") != "false" || second.field(".spec.suspend", "jobs") != "true" || len(second.pods()) > 0 {
		t.Errorf("of the first release the Job is suspended: %s; of the second: %s, with the pods %v",
			first.field(".spec.suspend", "jobs"), second.field(".spec.suspend", "jobs"), second.pods())
	}
	first.Must("exec", "deploy/run-monitor", "--", "worker", "resume")

	first.verify("OK: all 10 items are done")
	second.verify("OK: all 10 items are done")
	for _, r := range []*release{first, second} {
		r.becomes("True", `.status.conditions[?(@.type=="Complete")].status`, "jobs")
	}
	ended, started := first.time(".status.completionTime"), second.time(".status.startTime")
	if started.Before(ended) {
		t.Errorf("the second release started at %v, before the first had ended at %v", started, ended)
	}
}

// time is a time of the worker Job.
func (r *release) time(path string) time.Time {
	r.Helper()
	at, err := time.Parse(time.RFC3339, r.field(path, "jobs"))
	if err != nil {
		r.Fatal(err)
	}
	return at
}

// apply applies manifests as soon as the webhooks that check them accept connections.
func apply(r *release, manifests string) {
	r.Helper()
	var err error
	eventually(r.T, "the manifests are accepted", func() bool { _, err = r.Pipe(manifests, "apply", "-f", "-"); return err == nil },
		func() string { return err.Error() })
}
