package chart

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// hookRelease has whatever the chart can make.
var hookRelease = release{values: hookValues}

const hookValues = "{items: [apple], serviceAccount: {create: true}, redis: {password: secret}}"

func TestHooksRunInTheirOrder(t *testing.T) {
	t.Parallel()
	all := hookRelease.objects(t)
	for event, want := range map[string][]string{
		"pre-install":  {"ConfigMap installed", "NetworkPolicy redis-install", "NetworkPolicy seed-install", "Secret redis", "Service redis", "StatefulSet redis", "ConfigMap seed", "Job seed"},
		"pre-upgrade":  {"ConfigMap installed", "NetworkPolicy redis-install", "NetworkPolicy seed-install", "ConfigMap seed", "Job seed"}, // and not Redis, which has to stay as it is
		"pre-rollback": {"NetworkPolicy redis-install", "NetworkPolicy seed-install", "ConfigMap seed", "Job seed"},
		"test":         {"Pod test"},
		"post-delete":  {"Job test", "Job seed", "ConfigMap seed", "StatefulSet redis", "Service redis", "Secret redis", "NetworkPolicy seed-install", "NetworkPolicy redis-install", "ConfigMap installed"},
	} {
		byWeight := map[int]string{}
		for _, o := range all.of(event) {
			weight := 0
			if text, ok := o.GetAnnotations()["helm.sh/hook-weight"]; ok {
				var err error
				if weight, err = strconv.Atoi(text); err != nil {
					t.Errorf("%s: weight %v", id(o), err)
				}
			}
			if other, ok := byWeight[weight]; ok {
				t.Errorf("%s: %s and %s have the weight %d, so Helm sorts them by name", event, other, id(o), weight)
			}
			byWeight[weight] = kind(o) + " " + component(o)
		}
		var got []string
		for weight := -1000; weight <= 1000; weight++ {
			if o, ok := byWeight[weight]; ok {
				got = append(got, o)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", event, got, want)
		}
	}
	for _, o := range all {
		for event := range strings.SplitSeq(o.GetAnnotations()["helm.sh/hook"], ",") {
			switch event {
			case "", "pre-install", "pre-upgrade", "pre-rollback", "test", "post-delete":
			default:
				t.Errorf("%s: no test knows of this event", id(o))
			}
		}
	}
}

// Helm does not delete what its hooks made. So each of these objects needs a placeholder that deletes it.
func TestEveryHookHasAPlaceholder(t *testing.T) {
	t.Parallel()
	all := hookRelease.objects(t)
	placeholders := map[string]object{}
	for _, o := range all.of("post-delete") {
		placeholders[kind(o)+" "+o.GetName()] = o
		if got := o.GetAnnotations()["helm.sh/hook-delete-policy"]; got != "before-hook-creation,hook-succeeded" {
			t.Errorf("%s has the delete policy %q: it takes the original's place only with before-hook-creation, and goes only with hook-succeeded", id(o), got)
		}
		switch o := o.(type) {
		case *appsv1.StatefulSet:
			if o.Spec.Replicas == nil || *o.Spec.Replicas != 0 {
				t.Errorf("%s: replicas %v, want 0", id(o), o.Spec.Replicas)
			}
		case *batchv1.Job:
			if p, c := o.Spec.Parallelism, o.Spec.Completions; p == nil || *p != 0 || c == nil || *c != 0 {
				t.Errorf("%s: parallelism %v and completions %v, want 0: Helm waits for it to be complete", id(o), p, c)
			}
		case *corev1.ConfigMap:
			if len(o.Data) != 0 {
				t.Errorf("%s carries data", id(o))
			}
		case *corev1.Secret:
			if len(o.Data)+len(o.StringData) != 0 {
				t.Errorf("%s carries data", id(o))
			}
		case *corev1.Service, *networkingv1.NetworkPolicy:
		case *corev1.PersistentVolumeClaim:
			if o.Spec.StorageClassName == nil || *o.Spec.StorageClassName != "" || o.Spec.VolumeName == "" {
				t.Errorf("%s may get a volume", id(o))
			}
		default:
			t.Errorf("%s: a placeholder of this kind may do something, or Helm may wait for it", id(o))
		}
	}
	used := map[string]bool{}
	for _, o := range all.live() {
		if o.GetAnnotations()["helm.sh/hook"] == "" {
			continue
		}
		placeholder := kind(o) + " " + o.GetName()
		if _, ok := o.(*corev1.Pod); ok {
			// A Pod cannot have a placeholder that does not run. A Job adopts it instead.
			placeholder = "Job " + o.GetName()
		}
		h, ok := placeholders[placeholder]
		if !ok {
			t.Errorf("%s has no placeholder: helm uninstall would leave it behind", id(o))
			continue
		}
		used[placeholder] = true
		if _, ok := o.(*corev1.Pod); !ok {
			continue
		}
		job := h.(*batchv1.Job)
		selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
		if err != nil {
			t.Fatal(err)
		}
		if job.Spec.ManualSelector == nil || !*job.Spec.ManualSelector || !selector.Matches(labels.Set(o.GetLabels())) {
			t.Errorf("%s does not adopt %s: it selects %s", id(h), id(o), selector)
		}
		for _, other := range all.live() {
			if p := pod(other); p != nil && other != o && selector.Matches(labels.Set(p.Labels)) {
				t.Errorf("%s would adopt the pods of %s as well", id(h), id(other))
			}
		}
	}
	for placeholder := range placeholders {
		if !used[placeholder] {
			t.Errorf("%s is the placeholder of nothing", placeholder)
		}
	}
}

// An object that has another name after an upgrade has no placeholder any more, and must be gone by then.
func TestNoHookOutlivesItsName(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, o := range (release{values: "items: [pear]"}).objects(t).live() {
		names[kind(o)+" "+o.GetName()] = true
	}
	for _, o := range (release{values: "items: [apple]"}).objects(t).live() {
		if o.GetAnnotations()["helm.sh/hook"] == "" || names[kind(o)+" "+o.GetName()] {
			continue
		}
		policy := o.GetAnnotations()["helm.sh/hook-delete-policy"]
		if !strings.Contains(policy, "hook-succeeded") || !strings.Contains(policy, "hook-failed") {
			t.Errorf("%s has another name with other items, and the delete policy %q: an upgrade would leave it behind", id(o), policy)
		}
	}
}

func TestTheTestIsOnePodThatStays(t *testing.T) {
	t.Parallel()
	tests := hookRelease.objects(t).of("test")
	if len(tests) != 1 || kind(tests[0]) != "Pod" {
		t.Fatalf("the tests are %v, want one Pod: helm test --logs fails on anything else", tests)
	}
	if policy, ok := tests[0].GetAnnotations()["helm.sh/hook-delete-policy"]; ok {
		t.Errorf("the test has the delete policy %q: Helm 3 would delete it before it reads its logs", policy)
	}
}

// With a volume nothing is lost if Redis is made anew, so a rollback does that: it cannot look whether it has to. Helm deletes the StatefulSet for it,
// and the volume's claim must not go with it.
func TestARollbackMakesRedisAnewOnlyOnAVolume(t *testing.T) {
	t.Parallel()
	for persistence, want := range map[string]string{"false": "pre-install", "true": "pre-install,pre-rollback"} {
		all := release{values: "{items: [a], redis: {persistence: {enabled: " + persistence + "}}}"}.objects(t)
		for _, o := range all.live() {
			if component(o) == "redis" && o.GetAnnotations()["helm.sh/hook"] != "" && o.GetAnnotations()["helm.sh/hook"] != want {
				t.Errorf("persistence %s: %s is the hook %q, want %q", persistence, id(o), o.GetAnnotations()["helm.sh/hook"], want)
			}
		}
		if persistence == "true" {
			if policy := redis(t, all).Spec.PersistentVolumeClaimRetentionPolicy; policy == nil || policy.WhenDeleted != appsv1.RetainPersistentVolumeClaimRetentionPolicyType {
				t.Errorf("the volume goes with the StatefulSet: %v", policy)
			}
			found := false
			for _, o := range all.of("post-delete") {
				found = found || kind(o) == "PersistentVolumeClaim" && o.GetName() == "data-demo-redis-0"
			}
			if !found {
				t.Error("nothing deletes the volume at the uninstall")
			}
		}
	}
}

// Pods read the password when they start, so another one is other pods, and the same one is the same pods.
func TestAnotherPasswordIsOtherPods(t *testing.T) {
	t.Parallel()
	pods := func(password string) map[string]string {
		marks := map[string]string{}
		for _, o := range (release{values: "{items: [a], redis: {password: " + password + "}}"}).objects(t).live() {
			if p := pod(o); p != nil && slices.Contains([]string{"worker", "redis", "monitor"}, component(o)) {
				marks[component(o)] = p.Annotations["workqueue/redis-password"]
			}
		}
		return marks
	}
	one, again, two := pods("one"), pods("one"), pods("two")
	if len(one) != 3 || !reflect.DeepEqual(one, again) {
		t.Errorf("the same password is %v and %v", one, again)
	}
	for name, mark := range one {
		if mark == "" || mark == two[name] {
			t.Errorf("%s has the annotation %q with two passwords", name, mark)
		}
	}
}

func TestAFailedSeedingShowsItsLog(t *testing.T) {
	t.Parallel()
	job := seedJob(t, hookRelease.objects(t))
	if got := job.Annotations["helm.sh/hook-output-log-policy"]; got != "hook-failed" {
		t.Errorf("output log policy %q, want hook-failed", got)
	}
	if job.Spec.TTLSecondsAfterFinished != nil {
		t.Error("the seeding has a TTL: Helm 4 waits for ever for a Job that vanished")
	}
}

func TestWithoutHooksOnlyAnnotationsDiffer(t *testing.T) {
	t.Parallel()
	with := byID(hookRelease.objects(t).live())
	plain := release{values: hookValues[:len(hookValues)-1] + ", hooks: {enabled: false}, test: {enabled: true}}"}.objects(t)
	without := byID(plain.live())
	for id, o := range with {
		if strings.HasSuffix(component(o), "-install") { // policies for the hooks
			continue
		}
		if installed, is := without[id].(*corev1.ConfigMap); is && component(o) == "installed" { // which says that there are no hooks
			installed.Data["values"] = strings.Replace(installed.Data["values"], `"hooks.enabled":"false"`, `"hooks.enabled":"true"`, 1)
		}
		if !reflect.DeepEqual(o, without[id]) {
			t.Errorf("%s differs by more than annotations:\n%v\n%v", id, o, without[id])
		}
		delete(without, id)
	}
	for id := range without {
		t.Errorf("%s exists without hooks only", id)
	}
	for _, o := range plain {
		if hook := o.GetAnnotations()["helm.sh/hook"]; hook != "" && component(o) != "test" {
			t.Errorf("%s is a hook", id(o))
		}
	}
}

// byID maps objects by kind and name, without any annotations.
func byID(all objects) map[string]object {
	objects := map[string]object{}
	for _, o := range all {
		o = o.DeepCopyObject().(object)
		o.SetAnnotations(nil)
		switch o := o.(type) {
		case *appsv1.StatefulSet:
			o.Spec.Template.Annotations = nil
		case *batchv1.Job:
			o.Spec.Template.Annotations = nil
		case *corev1.Pod: // the test: nothing is named by what is in it
			o.Spec.Containers[0].Env = slices.DeleteFunc(o.Spec.Containers[0].Env, func(e corev1.EnvVar) bool { return e.Name == "WQ_SEED_TIMEOUT" })
		}
		objects[kind(o)+" "+o.GetName()] = o
	}
	return objects
}

// With hooks the queue is seeded before a worker starts, so one that is not has been lost; without, it is still to come.
func TestHowLongWorkersWaitForTheSeeding(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"items: [apple]": "10s",
		"{items: [apple], hooks: {enabled: false}, worker: {podAnnotations: {a: b}}}": "0s",
	} {
		t.Run(want, func(t *testing.T) {
			template := workerJob(t, release{values: values}.objects(t)).Spec.Template
			for _, e := range template.Spec.Containers[0].Env {
				if e.Name != "WQ_SEED_TIMEOUT" {
					continue
				}
				if e.ValueFrom == nil || e.ValueFrom.FieldRef == nil {
					t.Fatalf("WQ_SEED_TIMEOUT is %v, want an annotation of the pod", e)
				}
				name := strings.TrimSuffix(strings.TrimPrefix(e.ValueFrom.FieldRef.FieldPath, "metadata.annotations['"), "']")
				if got := template.Annotations[name]; got != want {
					t.Errorf("WQ_SEED_TIMEOUT is the annotation %s, which is %q, want %q", name, got, want)
				}
				return
			}
			t.Error("no WQ_SEED_TIMEOUT")
		})
	}
}

// TestNothingIsRenderedThatKubernetesDrops: Argo CD would call an object out of sync for as long as it lacks what its manifest has.
func TestNothingIsRenderedThatKubernetesDrops(t *testing.T) {
	t.Parallel()
	manifests, err := release{values: "{items: [a], hooks: {enabled: false}, worker: {deadExitCodes: [], snoozeExitCodes: []}}"}.render(t)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(manifests, "\n") {
		if strings.TrimSpace(line) == `value: ""` {
			t.Errorf("line %d is an empty value, which the API server leaves out:\n%s", i+1, manifests)
		}
	}
}

// Hooks come before all other objects. What a namespace that denies by default lets the pods of hooks do has to be there before them, by a policy of
// the same rules as the one that stays.
func TestPoliciesComeBeforeThePodsOfHooks(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]string{
		"its own Redis":      hookValues,
		"a Redis of others":  "{items: [a], " + sharedRedis + "}",
		"on a volume":        "{items: [a], redis: {persistence: {enabled: true}}}",
		"clients of Redis":   "{items: [a], networkPolicy: {redisClients: [{podSelector: {}}]}}",
		"a list of programs": "{items: [a], itemsFrom: {image: tools, command: [list]}}",
	} {
		all := release{values: values}.objects(t)
		var lasting []*networkingv1.NetworkPolicy
		for _, o := range all.of("") {
			if policy, is := o.(*networkingv1.NetworkPolicy); is {
				lasting = append(lasting, policy)
			}
		}
		for _, event := range []string{"pre-install", "pre-upgrade", "pre-rollback"} {
			pods := 0
			var before []networkingv1.NetworkPolicySpec
			for _, o := range byWeight(t, all.of(event)) {
				if policy, is := o.(*networkingv1.NetworkPolicy); is {
					before = append(before, policy.Spec)
				}
				if pod(o) == nil {
					continue
				}
				pods++
				for _, policy := range lasting {
					is := func(spec networkingv1.NetworkPolicySpec) bool { return reflect.DeepEqual(spec, policy.Spec) }
					if selects(t, &policy.Spec.PodSelector, o) && !slices.ContainsFunc(before, is) {
						t.Errorf("%s, %s: nothing before %s allows what %s does", name, event, id(o), id(policy))
					}
				}
			}
			if pods == 0 {
				t.Errorf("%s, %s: no hook has a pod", name, event)
			}
		}
	}
}

// byWeight sorts the hooks of an event in the order in which Helm runs them.
func byWeight(t *testing.T, hooks objects) objects {
	t.Helper()
	weight := func(o object) int {
		n, err := strconv.Atoi(o.GetAnnotations()["helm.sh/hook-weight"])
		if err != nil {
			t.Fatalf("%s: %v", id(o), err)
		}
		return n
	}
	slices.SortStableFunc(hooks, func(a, b object) int { return weight(a) - weight(b) })
	return hooks
}
