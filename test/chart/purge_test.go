package chart

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

const sharedRedis = "redis: {external: {url: 'redis://host:1/0'}}"

func TestAnUninstallPurgesARedisOfOthers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, values string
		want         bool
	}{
		{"of others", "{items: [a], " + sharedRedis + "}", true},
		{"of others, without hooks", "{items: [a], hooks: {enabled: false}, " + sharedRedis + "}", false},
		{"of others, without hooks, if asked to", "{items: [a], hooks: {enabled: false}, redis: {external: {url: 'redis://host:1/0', keep: false}}}", true},
		{"of others, kept", "{items: [a], redis: {external: {url: 'redis://host:1/0', keep: true}}}", false},
		{"the chart's own, which goes as a whole", "items: [a]", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			all := release{values: test.values}.objects(t)
			hooks := all.of("pre-delete")
			if !test.want {
				if len(hooks) != 0 {
					t.Errorf("there is %s", id(hooks[0]))
				}
				return
			}
			if len(hooks) != 1 {
				t.Fatalf("the hooks are %v, want one Job", hooks)
			}
			job := hooks[0].(*batchv1.Job)
			for _, policy := range []string{"before-hook-creation", "hook-succeeded", "hook-failed"} {
				if !strings.Contains(job.Annotations["helm.sh/hook-delete-policy"], policy) {
					t.Errorf("the delete policy lacks %s: something would be left behind, or in the way", policy)
				}
			}
			if got := job.Annotations["helm.sh/hook-output-log-policy"]; got != "hook-failed" {
				t.Errorf("output log policy %q: nobody would see why it fails", got)
			}
			if deadline := job.Spec.ActiveDeadlineSeconds; deadline == nil || *deadline > 120 {
				t.Errorf("activeDeadlineSeconds is %v: an uninstall would hang", deadline)
			}
		})
	}
}

// It is let into Redis as the seeding is, and gives up sooner.
func TestThePurgeHasWhatTheSeedingHas(t *testing.T) {
	t.Parallel()
	const values = `
items: [a]
redis:
  password: p
  external: {url: 'rediss://host:1/0', username: me, tls: {existingSecret: certs, clientCertificate: true}}`
	all := release{values: values}.objects(t)
	purge, seed := find[*batchv1.Job](t, all, "purge").Spec.Template.Spec, seedJob(t, all).Spec.Template.Spec
	variables := func(spec corev1.PodSpec) []corev1.EnvVar {
		return slices.DeleteFunc(slices.Clone(spec.Containers[0].Env), func(e corev1.EnvVar) bool {
			return !strings.HasPrefix(e.Name, "WQ_REDIS_") || e.Name == "WQ_REDIS_UNREACHABLE_TIMEOUT"
		})
	}
	if got, want := variables(purge), variables(seed); len(want) < 6 || !reflect.DeepEqual(got, want) {
		t.Errorf("the purge has %v, the seeding %v", got, want)
	}
	if got := env(t, purge, "WQ_REDIS_UNREACHABLE_TIMEOUT"); got != "30s" {
		t.Errorf("WQ_REDIS_UNREACHABLE_TIMEOUT is %s, want 30s: two tries have to fit into the deadline", got)
	}
	if mountAt(purge.Containers[0], "/etc/redis-tls") == "" {
		t.Error("the purge lacks the certificates")
	}
}

// What queue.name has been is in a ConfigMap, which every upgrade adds to and a rollback leaves as it is. Where nothing is purged it is
// there too, or nothing would delete the one of a revision that did purge.
func TestFormerQueueNamesAreRemembered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, values, want string }{
		{"with a name", "{items: [a], queue: {name: 'it''s$(A)\"<b>\"'}, " + sharedRedis + "}", `["it's$(A)\"<b>\""]`},
		{"without", "{items: [a], " + sharedRedis + "}", "[]"},
		{"where nothing is purged", "{items: [a], queue: {name: a}, redis: {external: {url: 'redis://host:1/0', keep: true}}}", `["a"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			all := release{values: test.values}.objects(t)
			names := find[*corev1.ConfigMap](t, all, "installed")
			if got := names.Data["queues"]; got != test.want {
				t.Errorf("the names are %s, want %s", got, test.want)
			}
			if hook := names.Annotations["helm.sh/hook"]; hook != "pre-install,pre-upgrade" {
				t.Errorf("the ConfigMap is the hook %q", hook)
			}
			if policy := names.Annotations["helm.sh/hook-delete-policy"]; policy != "before-hook-creation" {
				t.Errorf("its delete policy is %q: it has to stay until the uninstall", policy)
			}
		})
	}
	all := release{values: "{items: [a], " + sharedRedis + "}"}.objects(t)
	for _, e := range find[*batchv1.Job](t, all, "purge").Spec.Template.Spec.Containers[0].Env {
		if e.Name == "WQ_FORMER_QUEUES" && e.ValueFrom.ConfigMapKeyRef.Name == find[*corev1.ConfigMap](t, all, "installed").Name {
			return
		}
	}
	t.Error("the purge does not read the names")
}

// It purges all queues that this release has had, and no others.
func TestWhatIsPurged(t *testing.T) {
	t.Parallel()
	queueOf := func(t *testing.T, r release) string {
		all := r.objects(t)
		for _, o := range all.live() {
			if component(o) == "worker" && pod(o) != nil {
				return env(t, pod(o).Spec, "WQ_QUEUE")
			}
		}
		t.Fatal("no workers")
		return ""
	}
	const job, deployment = "{" + sharedRedis + ", items: ", "{queue: {seal: false}, worker: {kind: Deployment}, " + sharedRedis + ", items: "
	long := strings.Repeat("a-long-name", 4) + "-and-mor"
	for _, test := range []struct {
		name          string
		release       release
		mine, others  []release
		alsoByName    []string
		alsoNotByName []string
	}{
		{
			name: "a Job", release: release{values: job + "[a]}"},
			mine: []release{{values: job + "[a]}"}, {values: job + "[b]}"}, {values: job + "[a], rerun: 2}"}, {values: deployment + "[]}"}},
			others: []release{
				{name: "demo-2", values: job + "[a], schedule: '@daily'}"},
				{name: "demo-2", values: job + "[a]}"}, {name: "de", values: job + "[a]}"}, {name: "a-demo", values: job + "[a]}"},
				{name: "demo-2", values: deployment + "[]}"}, {name: "demo-0123456789", values: deployment + "[]}"},
			},
			alsoByName:    []string{"somewhere/demo:demo-29384756:0123f", "somewhere/demo:again:0123f"},
			alsoNotByName: []string{"somewhere/demo-2:again:0123f", "elsewhere/demo:again:0123f", "elsewhere/demo-0123456789", "demo-0123456789", "somewhere/demo-0123456789a", "somewhere/demo-xyz3456789"},
		},
		{
			name: "a Deployment", release: release{values: deployment + "[]}"},
			// From before it was a Deployment, too.
			mine:   []release{{values: deployment + "[a]}"}, {values: job + "[a]}"}},
			others: []release{{name: "demo-2", values: deployment + "[]}"}, {name: "demo-0123456789", values: deployment + "[]}"}},
		},
		{
			name: "a Deployment that is called like a run of another release", release: release{name: "demo-0123456789", values: deployment + "[]}"},
			mine:   []release{{name: "demo-0123456789", values: job + "[a]}"}},
			others: []release{{values: deployment + "[]}"}, {name: "demo-0123456789-queue", values: deployment + "[]}"}},
		},
		{
			name: "a schedule", release: release{values: job + "[a], schedule: '@daily'}"},
			mine:          []release{{values: job + "[a]}"}}, // from before it had a schedule
			others:        []release{{name: "demo-2", values: job + "[a]}"}},
			alsoByName:    []string{"somewhere/demo:demo-29384756:0123f", "somewhere/demo:again:0123f"},
			alsoNotByName: []string{"somewhere/demo-2:again:0123f", "elsewhere/demo:again:0123f"},
		},
		{
			name: "a long name", release: release{name: long, values: job + "[a]}"},
			mine:   []release{{name: long, values: job + "[b]}"}},
			others: []release{{name: long + "2", values: job + "[a]}"}},
		},
		{
			name: "a name of your own", release: release{values: job + "[a], queue: {name: 'a.b*'}}"},
			// Those it had before it got the name, too.
			mine:          []release{{values: job + "[b], queue: {name: 'a.b*'}}"}, {values: job + "[a]}"}},
			others:        []release{{name: "demo-2", values: job + "[a]}"}},
			alsoNotByName: []string{"axb*", "a.bbb", "a.b*2"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := find[*batchv1.Job](t, test.release.objects(t), "purge").Spec.Template.Spec.Containers[0].Args
			if len(args) != 2 || args[0] != "purge" {
				t.Fatalf("the purge is %v", args)
			}
			matches := regexp.MustCompile("^(?:" + args[1] + ")$").MatchString // as the worker does it
			for _, r := range test.mine {
				if queue := queueOf(t, r); !matches(queue) {
					t.Errorf("%s leaves %s there", args[1], queue)
				}
			}
			for _, queue := range test.alsoByName {
				if !matches(queue) {
					t.Errorf("%s leaves %s there", args[1], queue)
				}
			}
			names := test.alsoNotByName
			for _, r := range test.others {
				names = append(names, queueOf(t, r))
			}
			for _, queue := range names {
				if matches(queue) {
					t.Errorf("%s takes %s as well, which is another's", args[1], queue)
				}
			}
		})
	}
}
