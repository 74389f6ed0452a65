package chart

import (
	"strings"
	"testing"
)

// `helm template | kubectl apply` would put an object without a namespace into the one of the kubeconfig.
func TestEveryObjectNamesItsNamespace(t *testing.T) {
	t.Parallel()
	const everything = `, hooks: {enabled: HOOKS}, serviceAccount: {create: true}, worker: {metrics: {enabled: true, podMonitor: {enabled: true}}, KIND},
redis: {password: secret, podDisruptionBudget: {enabled: true}, persistence: {enabled: true}},
monitor: {clients: [{podSelector: {}}], podMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true},
  ingress: {enabled: true, host: a.example.org}, httpRoute: {enabled: true, parentRefs: [{name: web}]}},
extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}, {apiVersion: v1, kind: ConfigMap, metadata: {name: theirs, namespace: other}}]}`
	for _, values := range []string{
		"{items: [a]" + strings.Replace(everything, ", KIND", "", 1),
		"{items: [a], schedule: '@daily'" + strings.Replace(everything, ", KIND", "", 1),
		"{queue: {seal: false}" + strings.Replace(everything, "KIND", "kind: Deployment, keda: {enabled: true}", 1),
		"{queue: {seal: false}" + strings.Replace(everything, "KIND", "kind: Deployment, resources: {requests: {cpu: 1}}, autoscaling: {enabled: true}", 1),
		"{items: [a], " + sharedRedis + "}",
	} {
		for _, hooks := range []string{"true", "false"} {
			for _, o := range (release{values: strings.Replace(values, "HOOKS", hooks, 1)}).objects(t) {
				want := map[string]string{"mine": "", "theirs": "other"}
				if _, own := want[o.GetName()]; !own {
					want[o.GetName()] = namespace
				}
				if got := o.GetNamespace(); got != want[o.GetName()] {
					t.Errorf("%s is in the namespace %q, want %q", id(o), got, want[o.GetName()])
				}
			}
		}
	}
}
