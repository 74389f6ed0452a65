package chart

import (
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// The check is the API server's own code.
func TestEveryPodIsRestricted(t *testing.T) {
	t.Parallel()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	check := func(t *testing.T, all objects) {
		t.Helper()
		pods := 0
		for _, o := range all {
			p := pod(o)
			if p == nil {
				continue
			}
			pods++
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &p.ObjectMeta, &p.Spec))
			if !result.Allowed {
				t.Errorf("%s: %s", id(o), result.ForbiddenDetail())
			}
		}
		if pods < 4 {
			t.Errorf("found %d pods, want those of Redis, the seeding, the workers and the test", pods)
		}
	}
	releases := map[string]release{
		"the image's own user": {values: "{items: [a], worker: {image: b, command: [c], podSecurityContext: {runAsUser: null, runAsGroup: null}}}"},
	}
	for _, example := range examples(t) {
		releases[filepath.Base(example)] = release{files: []string{example}}
	}
	for name, r := range releases {
		t.Run(name, func(t *testing.T) {
			check(t, r.objects(t))
		})
	}
	t.Run("a pod that is not", func(t *testing.T) {
		p := corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "b"}}}
		if policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &metav1.ObjectMeta{}, &p)).Allowed {
			t.Error("a pod without any security context passes: this test cannot fail")
		}
	})
}

// More than Pod Security demands.
func TestEveryPodHasAsLittleAsItCan(t *testing.T) {
	t.Parallel()
	for _, example := range examples(t) {
		t.Run(filepath.Base(example), func(t *testing.T) {
			for _, o := range (release{files: []string{example}}).objects(t) {
				p := pod(o)
				if p == nil {
					continue
				}
				if token := p.Spec.AutomountServiceAccountToken; token == nil || *token {
					t.Errorf("%s mounts a service account's token", id(o))
				}
				if links := p.Spec.EnableServiceLinks; links == nil || *links {
					t.Errorf("%s has service links: a Service called wq-redis would set WQ_REDIS_PORT", id(o))
				}
				if user := p.Spec.SecurityContext.RunAsUser; user == nil || *user == 0 {
					t.Errorf("%s runs as user %v, want a number that is not 0", id(o), user)
				}
				for _, c := range append(p.Spec.InitContainers, p.Spec.Containers...) {
					if root := c.SecurityContext.ReadOnlyRootFilesystem; root == nil || !*root {
						t.Errorf("%s: %s can write to its root", id(o), c.Name)
					}
				}
			}
		})
	}
}

func TestAnImageMayKeepItsUser(t *testing.T) {
	t.Parallel()
	const values = "{items: [a], worker: {image: b, command: [c], podSecurityContext: {runAsUser: null, runAsGroup: null}}}"
	context := workerJob(t, release{values: values}.objects(t)).Spec.Template.Spec.SecurityContext
	if context.RunAsUser != nil || context.RunAsGroup != nil {
		t.Errorf("the workers run as user %v and group %v, want those of the image", context.RunAsUser, context.RunAsGroup)
	}
	if context.RunAsNonRoot == nil || !*context.RunAsNonRoot {
		t.Error("the workers may run as root")
	}
}

func TestTheTokenIsThereWhenAskedFor(t *testing.T) {
	t.Parallel()
	all := release{values: "{items: [a], serviceAccount: {name: mine, automount: true}}"}.objects(t)
	for _, o := range all.live() {
		p := pod(o)
		if p == nil {
			continue
		}
		want := component(o) == "worker"
		if got := p.Spec.AutomountServiceAccountToken; got == nil || *got != want {
			t.Errorf("%s: automountServiceAccountToken is %v, want %v", id(o), got, want)
		}
	}
}
