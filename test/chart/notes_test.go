package chart

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/gruntwork-io/terratest/modules/helm"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// notes is what a person reads after an install. Only an install prints it, and Helm 4 alone does so without a cluster.
func (r release) notes(t *testing.T) string {
	t.Helper()
	useHelm(t, "helm4")
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	args := []string{"demo", chartDir, "--namespace", namespace, "--dry-run=client", "--values", valuesFile(t, r.values)}
	out, err := helm.RunHelmCommandAndGetStdOutContextE(t, t.Context(), r.options(t), "install", args...)
	if err != nil {
		t.Fatal(err)
	}
	_, notes, found := strings.Cut(out, "\nNOTES:\n")
	if !found {
		t.Fatalf("no notes in\n%s", out)
	}
	return notes
}

// The pod in which a person asks after the workers are gone is let in wherever the test is, and has what it has.
func TestThePodOfTheNotes(t *testing.T) {
	for name, values := range map[string]string{
		"own Redis":      "items: [a]",
		"own, with ACL":  "{items: [a], redis: {acl: {enabled: true}}}",
		"without hooks":  "{items: [a], hooks: {enabled: false}}",
		"a quote":        "{items: [a], queue: {name: \"it's\"}}",
		"shared, by TLS": "{items: [a], redis: {existingSecret: {name: mine}, external: {url: 'rediss://host:1/0', username: me, tls: {existingSecret: certs}}}}",
	} {
		t.Run(name, func(t *testing.T) {
			r := release{values: values}
			notes := r.notes(t)
			match := regexp.MustCompile(`kubectl -n somewhere run (\S+) .*--overrides='([^']*)'`).FindStringSubmatch(notes)
			if match == nil {
				t.Fatalf("the notes name no pod:\n%s", notes)
			}
			for _, verb := range []string{"results", "dead", "retry"} {
				if line := "exec " + match[1] + " -- /worker " + verb; !strings.Contains(notes, line) {
					t.Errorf("the notes lack %q:\n%s", line, notes)
				}
			}
			var got corev1.Pod
			if err := json.Unmarshal([]byte(match[2]), &got); err != nil {
				t.Fatalf("%v in %s", err, match[2])
			}
			evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
			if err != nil {
				t.Fatal(err)
			}
			restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
			if result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &got.ObjectMeta, &got.Spec)); !result.Allowed {
				t.Error(result.ForbiddenDetail())
			}
			if got.Spec.ActiveDeadlineSeconds == nil {
				t.Error("the pod stays for ever")
			}
			want := testPod(t, r.objects(t))
			for _, label := range []string{"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"} {
				if got.Labels[label] != want.Labels[label] {
					t.Errorf("%s is %q, want %q: Redis would not let it in, and an uninstall would leave it", label, got.Labels[label], want.Labels[label])
				}
			}
			variables := func(spec corev1.PodSpec) map[string]corev1.EnvVar {
				all := map[string]corev1.EnvVar{}
				for _, e := range spec.Containers[0].Env {
					if strings.HasPrefix(e.Name, "WQ_REDIS_") || e.Name == "WQ_QUEUE" {
						all[e.Name] = e
					}
				}
				return all
			}
			if got, want := variables(got.Spec), variables(want.Spec); !reflect.DeepEqual(got, want) {
				t.Errorf("it has %v, the test %v", got, want)
			}
			if !reflect.DeepEqual(got.Spec.Volumes, want.Spec.Volumes) {
				t.Errorf("it has the volumes %v, the test %v", got.Spec.Volumes, want.Spec.Volumes)
			}
		})
	}
}

func TestTheNotesAskTheMonitorIfThereIsOne(t *testing.T) {
	notes := release{values: "{items: [a], monitor: {enabled: true}}"}.notes(t)
	if !strings.Contains(notes, "exec deploy/demo-monitor -- /worker dead") || strings.Contains(notes, "--overrides") {
		t.Errorf("the notes say\n%s", notes)
	}
}
