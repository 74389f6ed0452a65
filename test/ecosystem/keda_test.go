package ecosystem

import (
	"strings"
	"testing"
	"time"
)

// TestKEDA has the Deployment of values-examples/keda.yaml scaled by KEDA's operator: from no pod to as many as the items are worth, and back.
// An item that waits in the queue, but not in the list in Redis, has KEDA start a pod, too.
func TestKEDA(t *testing.T) {
	t.Parallel()
	needs(t, "keda", "customresourcedefinition/scaledobjects.keda.sh")
	r := newRelease(t, "keda", examples+"keda.yaml", map[string]string{
		"worker.image":                         image(t),
		"worker.command":                       script(`case $1 in slow) sleep 20;; again) [ $WQ_ATTEMPT -gt 1 ];; *) sleep 3;; esac && echo delivered $1`),
		"worker.backoff":                       `{"initial": "50s", "max": "50s"}`,
		"worker.terminationGracePeriodSeconds": "10",
		"worker.keda.maxReplicas":              "3",
		"worker.keda.itemsPerPod":              "4",
		"worker.keda.cooldownPeriod":           "5",
		"redis.persistence.enabled":            "false",
	})
	r.helm("install")
	const scaled = "scaledobject/run-worker"
	r.becomes("True", `.status.conditions[?(@.type=="Ready")].status`, scaled)
	r.has(0)

	// Up and back.
	r.push("mail", numbered("letter", 12)...)
	r.has(3)
	// Helm leaves the number of pods to KEDA.
	r.values["worker.keda.itemsPerPod"] = "5"
	r.helm("upgrade")
	if n := r.field(".spec.replicas", "deployment/run-worker"); n != "3" {
		t.Errorf("after an upgrade the Deployment has %s replicas", n)
	}
	r.until("12 letters are delivered", func(c counts) bool { return c.Done == 12 })
	r.has(0)

	// An item is returned by the last pod that stops. It is not in the list then, but it is open.
	r.push("mail", "slow")
	r.until("the slow letter runs", func(c counts) bool { return c.Leased == 1 })
	r.Must("annotate", scaled, "autoscaling.keda.sh/paused-replicas=0")
	r.has(0)
	if c := r.counts(); c.Open != 1 || c.Leased != 0 || c.Done != 12 {
		t.Errorf("the slow letter was not returned: %+v", c)
	}
	if n := r.Must("exec", "run-redis-0", "--", "redis-cli", "llen", "mail"); strings.TrimSpace(n) != "0" {
		t.Errorf("the list has %s items: nothing is shown by what follows", n)
	}
	r.Must("annotate", scaled, "autoscaling.keda.sh/paused-replicas-")
	r.until("the slow letter is delivered", func(c counts) bool { return c.Done == 13 })
	r.has(0)

	// An item waits for its second attempt longer than the cooldown: its pod stays.
	r.push("mail", "again")
	r.until("the letter waits for its second attempt", func(c counts) bool { return c.Delayed == 1 })
	pod := r.pods()
	for end := time.Now().Add(patient); r.counts().Done < 14; time.Sleep(time.Second) {
		if now := r.pods(); strings.Join(now, " ") != strings.Join(pod, " ") || time.Now().After(end) {
			t.Fatalf("%v while a letter waits, then %v; the counts are %+v", pod, now, r.counts())
		}
	}
	r.has(0)
}
