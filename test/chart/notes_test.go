package chart

import (
	"reflect"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// notes is what a person reads after an install.
func (r release) notes(t *testing.T) string {
	t.Helper()
	rendered, err := r.install(t)
	if err != nil {
		t.Fatal(err)
	}
	if rendered.Notes == "" {
		t.Fatal("no notes")
	}
	return rendered.Notes
}

// The pod in which a person asks after the workers are gone is let in wherever the test is, and has what it has.
func TestThePodOfTheNotes(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]string{
		"own Redis":      "items: [a]",
		"own, with ACL":  "{items: [a], redis: {acl: {enabled: true}}}",
		"without hooks":  "{items: [a], hooks: {enabled: false}}",
		"shared, by TLS": "{items: [a], redis: {existingSecret: {name: mine}, external: {url: 'rediss://host:1/0', username: me, tls: {existingSecret: certs}}}}",
	} {
		t.Run(name, func(t *testing.T) {
			r := release{values: values}
			notes := r.notes(t)
			all := r.objects(t)
			cron := find[*batchv1.CronJob](t, all, "verbs")
			lines := []string{"create job demo-ask --from=cronjob/" + cron.Name, "wait --for=jsonpath='{.status.ready}'=1 job/demo-ask"}
			for _, verb := range []string{"results", "dead", "retry"} {
				lines = append(lines, "exec job/demo-ask -- /worker "+verb)
			}
			for _, line := range lines {
				if !strings.Contains(notes, "kubectl -n somewhere "+line) {
					t.Errorf("the notes lack %q:\n%s", line, notes)
				}
			}
			if cron.Spec.Suspend == nil || !*cron.Spec.Suspend {
				t.Error("it starts by itself")
			}
			job := cron.Spec.JobTemplate.Spec
			if job.ActiveDeadlineSeconds == nil || job.TTLSecondsAfterFinished == nil {
				t.Error("the pod stays for ever")
			}
			got, want := job.Template.Spec, testPod(t, all).Spec
			variables := func(spec corev1.PodSpec) map[string]corev1.EnvVar {
				all := map[string]corev1.EnvVar{}
				for _, e := range spec.Containers[0].Env {
					if strings.HasPrefix(e.Name, "WQ_REDIS_") || e.Name == "WQ_QUEUE" {
						all[e.Name] = e
					}
				}
				return all
			}
			if got, want := variables(got), variables(want); !reflect.DeepEqual(got, want) {
				t.Errorf("it has %v, the test %v", got, want)
			}
			if !reflect.DeepEqual(got.Volumes, want.Volumes) {
				t.Errorf("it has the volumes %v, the test %v", got.Volumes, want.Volumes)
			}
			policy := policyOf(t, all, "verbs").PodSelector
			if !selects(t, &policy, cron) {
				t.Error("no NetworkPolicy is about it")
			}
		})
	}
}

func TestTheNotesAskTheMonitorIfThereIsOne(t *testing.T) {
	t.Parallel()
	notes := release{values: "{items: [a], monitor: {enabled: true}}"}.notes(t)
	if !strings.Contains(notes, "exec deploy/demo-monitor -- /worker dead") || strings.Contains(notes, "create job") {
		t.Errorf("the notes say\n%s", notes)
	}
}
