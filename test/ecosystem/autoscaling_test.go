package ecosystem

import (
	"testing"
)

// TestAutoscaling has a HorizontalPodAutoscaler scale the Deployment by the CPU use that the metrics server reports, up and down again.
func TestAutoscaling(t *testing.T) {
	t.Parallel()
	needs(t, "metrics-server", "apiservice/v1beta1.metrics.k8s.io")
	r := newRelease(t, "hpa", examples+"fruits.yaml", map[string]string{
		"items":                          "[]",
		"queue.seal":                     "false",
		"queue.name":                     `"busy"`,
		"worker.kind":                    `"Deployment"`,
		"worker.image":                   image(t),
		"worker.command":                 script("timeout 45 sh -c 'while :; do :; done'; echo tired of $1"),
		"worker.resources":               `{"requests": {"cpu": "50m", "memory": "16Mi"}, "limits": {"cpu": "150m"}}`,
		"worker.autoscaling.enabled":     "true",
		"worker.autoscaling.maxReplicas": "3",
		"worker.autoscaling.behavior":    `{"scaleDown": {"stabilizationWindowSeconds": 0}}`,
	})
	r.major = "helm3"
	r.helm("install")
	const scaler = "hpa/run-worker"
	r.becomes("True", `.status.conditions[?(@.type=="ScalingActive")].status`, scaler)
	r.has(1)
	r.push("busy", numbered("item", 6)...)
	r.has(3)
	r.helm("upgrade")
	if n := r.field(".spec.replicas", "deployment/run-worker"); n == "1" {
		t.Error("an upgrade took the Deployment back to 1 pod")
	}
	r.until("all items are done", func(c counts) bool { return c.Done == 6 })
	r.has(1)
	if c := r.counts(); c.Total != 6 || c.Dead != 0 {
		t.Errorf("%+v", c)
	}
}
