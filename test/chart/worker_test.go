package chart

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestTheWorkerJob(t *testing.T) {
	t.Parallel()
	spec := workerJob(t, release{values: "{items: [], itemsFrom: {range: {start: 1, end: 9}}, worker: {parallelism: 7}}"}.objects(t)).Spec
	if spec.Completions != nil {
		t.Errorf("completions is %d: the Job would count pods, not items", *spec.Completions)
	}
	if spec.Parallelism == nil || *spec.Parallelism != 7 {
		t.Errorf("parallelism is %v, want 7", spec.Parallelism)
	}
	if spec.BackoffLimit == nil || *spec.BackoffLimit < 100 {
		t.Errorf("backoffLimit is %v: a few lost pods would end the run", spec.BackoffLimit)
	}
	if spec.TTLSecondsAfterFinished != nil || spec.ActiveDeadlineSeconds != nil {
		t.Errorf("ttlSecondsAfterFinished is %v and activeDeadlineSeconds %v, want neither by default", spec.TTLSecondsAfterFinished, spec.ActiveDeadlineSeconds)
	}
	if got := spec.Template.Spec.RestartPolicy; got != corev1.RestartPolicyNever {
		t.Errorf("restartPolicy is %s, want Never: podFailurePolicy needs it", got)
	}
}

func TestAnIndexedWorkerJob(t *testing.T) {
	t.Parallel()
	job := workerJob(t, release{values: "{items: [], itemsFrom: {range: {start: 1, end: 9}}, worker: {indexed: true, parallelism: 7, backoffLimit: 50}}"}.objects(t))
	spec := job.Spec
	// A lost pod costs its index, and the next index starts at once. See docs/faults.md.
	if spec.CompletionMode == nil || *spec.CompletionMode != batchv1.IndexedCompletion || spec.BackoffLimitPerIndex == nil || *spec.BackoffLimitPerIndex != 0 {
		t.Errorf("completionMode is %v and backoffLimitPerIndex %v, want Indexed and 0: Kubernetes would delay replacements", spec.CompletionMode, spec.BackoffLimitPerIndex)
	}
	if spec.MaxFailedIndexes == nil || *spec.MaxFailedIndexes != 50 || *spec.BackoffLimit != math.MaxInt32 {
		t.Errorf("maxFailedIndexes is %v and backoffLimit %v, want worker.backoffLimit and no limit", spec.MaxFailedIndexes, *spec.BackoffLimit)
	}
	if *spec.Parallelism != 7 || spec.Completions == nil || *spec.Completions != 100000 {
		t.Errorf("parallelism is %v and completions %v, want 7, which can be changed alone, and more indexes than are ever used", *spec.Parallelism, spec.Completions)
	}
	if p := spec.SuccessPolicy; p == nil || len(p.Rules) != 1 || *p.Rules[0].SucceededCount != 1 {
		t.Errorf("successPolicy is %+v, want one success", p)
	}
	for _, rule := range spec.PodFailurePolicy.Rules {
		if rule.Action != batchv1.PodFailurePolicyActionFailJob {
			t.Errorf("podFailurePolicy has the action %s: an ignored index waits for its own replacement, and its namespace cannot be deleted", rule.Action)
		}
	}
	if plain := workerJob(t, release{values: "{items: [], itemsFrom: {range: {start: 1, end: 9}}, worker: {parallelism: 7}}"}.objects(t)); plain.Name == job.Name {
		t.Errorf("both Jobs are called %s, but the one cannot become the other", job.Name)
	}
}

// Helm 3 rolls back a failed upgrade by taking away whatever Kubernetes has added to the Job that still runs. What Kubernetes
// adds once and never again has to be there from the start.
func TestTheJobSelectsItsOwnPods(t *testing.T) {
	t.Parallel()
	all := release{values: "items: [apple]"}.objects(t)
	job := workerJob(t, all)
	want := map[string]string{"batch.kubernetes.io/job-name": job.Name}
	if m := job.Spec.ManualSelector; m == nil || !*m || job.Spec.Selector == nil || !reflect.DeepEqual(job.Spec.Selector.MatchLabels, want) {
		t.Errorf("manualSelector is %v and selector %v, want %v", m, job.Spec.Selector, want)
	}
	for _, label := range []string{"batch.kubernetes.io/job-name", "job-name"} {
		if got := job.Spec.Template.Labels[label]; got != job.Name {
			t.Errorf("the pods have %s=%q, want %q, as the pods of any Job", label, got, job.Name)
		}
	}
}

func TestWhichFailuresEndTheJob(t *testing.T) {
	t.Parallel()
	job := workerJob(t, release{values: "items: [apple]"}.objects(t))
	container := "worker"
	want := []batchv1.PodFailurePolicyRule{
		{
			Action: batchv1.PodFailurePolicyActionFailJob,
			OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
				ContainerName: &container, Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{65, 70, 78},
			},
		},
		{
			Action:          batchv1.PodFailurePolicyActionIgnore,
			OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
		},
	}
	if job.Spec.PodFailurePolicy == nil || !reflect.DeepEqual(job.Spec.PodFailurePolicy.Rules, want) {
		t.Errorf("podFailurePolicy is %v, want %v", job.Spec.PodFailurePolicy, want)
	}
	if got := job.Spec.Template.Spec.Containers[0].Name; got != container {
		t.Errorf("the policy is about a container %s, but there is only %s", container, got)
	}
}

func TestValuesReachTheWorker(t *testing.T) {
	t.Parallel()
	const values = `
items: [apple]
queue: {name: job2}
worker:
  concurrency: 3
  lease: 90s
  maxAttempts: 4
  maxCrashes: 5
  maxSnoozes: 8
  maxDead: 1000000
  stopAfterDead: 2000000
  itemTimeout: 1h30m
  backoff: {initial: 500ms, max: 7m}
  deadExitCodes: [2, 126]
  snoozeExitCodes: [75, 99]
  terminationGracePeriodSeconds: 65
  logFormat: json
  logLevel: debug
  extraEnv: [{name: MINE, value: mine}]
`
	all := release{values: values}.objects(t)
	spec := workerJob(t, all).Spec.Template.Spec
	for name, want := range map[string]string{
		"WQ_QUEUE":             "job2",
		"WQ_REDIS_URL":         "redis://demo-redis:6379/0",
		"WQ_CONCURRENCY":       "3",
		"WQ_LEASE":             "90s",
		"WQ_MAX_ATTEMPTS":      "4",
		"WQ_MAX_CRASHES":       "5",
		"WQ_MAX_SNOOZES":       "8",
		"WQ_MAX_DEAD":          "1000000",
		"WQ_STOP_AFTER_DEAD":   "2000000",
		"WQ_ITEM_TIMEOUT":      "1h30m",
		"WQ_BACKOFF_INITIAL":   "500ms",
		"WQ_BACKOFF_MAX":       "7m",
		"WQ_DEAD_EXIT_CODES":   "2,126",
		"WQ_SNOOZE_EXIT_CODES": "75,99",
		"WQ_GRACE":             "60s",
		"WQ_LOG_FORMAT":        "json",
		"WQ_LOG_LEVEL":         "debug",
		"MINE":                 "mine",
	} {
		if got := env(t, spec, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := spec.TerminationGracePeriodSeconds; got == nil || *got != 65 {
		t.Errorf("terminationGracePeriodSeconds is %v, want 65", got)
	}
	if got := env(t, testPod(t, all).Spec, "WQ_MAX_DEAD"); got != "1000000" {
		t.Errorf("the test has WQ_MAX_DEAD=%s, want what the workers have", got)
	}
}

func TestPodsArePlacedAsAsked(t *testing.T) {
	t.Parallel()
	const values = `
items: [apple]
imagePullSecrets: [{name: registry}]
worker: &where
  nodeSelector: {disk: fast}
  tolerations: [{key: spot, operator: Exists}]
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: gpu, operator: Exists}]}]}}}
  priorityClassName: high
  podAnnotations: {note: one}
  podLabels: {label: two}
  resources: {requests: {cpu: "1"}, limits: {memory: 1Gi}}
redis: *where
`
	all := release{values: values}.objects(t)
	for _, p := range []corev1.PodTemplateSpec{workerJob(t, all).Spec.Template, redis(t, all).Spec.Template} {
		name := p.Spec.Containers[0].Name
		if p.Spec.NodeSelector["disk"] != "fast" || len(p.Spec.Tolerations) != 1 || p.Spec.Affinity == nil || p.Spec.PriorityClassName != "high" {
			t.Errorf("%s is not placed as asked: %v", name, p.Spec)
		}
		if p.Annotations["note"] != "one" || p.Labels["label"] != "two" {
			t.Errorf("%s has annotations %v and labels %v", name, p.Annotations, p.Labels)
		}
		if r := p.Spec.Containers[0].Resources; r.Requests.Cpu().String() != "1" || r.Limits.Memory().String() != "1Gi" {
			t.Errorf("%s has resources %v", name, r)
		}
	}
	for _, o := range all.live() {
		if p := pod(o); p != nil && !reflect.DeepEqual(p.Spec.ImagePullSecrets, []corev1.LocalObjectReference{{Name: "registry"}}) {
			t.Errorf("%s pulls with %v", id(o), p.Spec.ImagePullSecrets)
		}
	}
}

func TestTheWorkersOwnImage(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"image: {}":                                          "ghcr.io/workqueue/workqueue-worker:0.1.0",
		"image: {repository: mine, tag: '2'}":                "mine:2",
		"image: {tag: '2', digest: '" + digest + "'}":        "ghcr.io/workqueue/workqueue-worker@" + digest,
		"redis: {image: {repository: valkey, tag: '8'}}":     "ghcr.io/workqueue/workqueue-worker:0.1.0",
		"worker: {image: busybox, command: ['true', '{}']}":  "ghcr.io/workqueue/workqueue-worker:0.1.0",
		"image: {repository: 'localhost:5000/w', tag: main}": "localhost:5000/w:main",
	} {
		t.Run(values, func(t *testing.T) {
			all := release{values: "items: [apple]\n" + values}.objects(t)
			worker := workerJob(t, all).Spec.Template.Spec
			container := worker.Containers[0]
			if len(worker.InitContainers) > 0 {
				container = worker.InitContainers[0]
			}
			for _, c := range []corev1.Container{container, seedJob(t, all).Spec.Template.Spec.Containers[0], testPod(t, all).Spec.Containers[0]} {
				if c.Image != want {
					t.Errorf("%s has the image %s, want %s", c.Name, c.Image, want)
				}
				if c.Command != nil {
					t.Errorf("%s has the command %v: the image has an entrypoint of its own", c.Name, c.Command)
				}
			}
		})
	}
}

func TestWithoutAProgramTheWorkerRunsAsItIs(t *testing.T) {
	t.Parallel()
	spec := workerJob(t, release{values: "items: [apple]"}.objects(t)).Spec.Template.Spec
	if len(spec.InitContainers) != 0 || len(spec.Volumes) != 0 {
		t.Errorf("there are init containers %v and volumes %v, want none", spec.InitContainers, spec.Volumes)
	}
	if got := spec.Containers[0].Args; !slices.Equal(got, []string{"work"}) {
		t.Errorf("the verb is %v, want work", got)
	}
	if command, ok := lookupEnv(spec, "WQ_COMMAND"); ok {
		t.Errorf("WQ_COMMAND is %q, want none, for the built-in handler", command)
	}
}

func TestYourProgramRunsInYourImage(t *testing.T) {
	t.Parallel()
	command := []string{"sh", "-c", `echo "<$1>" & wait`, "greet", "{}"}
	text, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	values := "{items: [apple], worker: {image: 'registry.example/mine:1', imagePullPolicy: Always, command: " + string(text) + "}}"
	spec := workerJob(t, release{values: values}.objects(t)).Spec.Template.Spec
	worker := spec.Containers[0]
	if worker.Image != "registry.example/mine:1" || worker.ImagePullPolicy != corev1.PullAlways {
		t.Errorf("the image is %s, pulled %s", worker.Image, worker.ImagePullPolicy)
	}
	var got []string
	if err := json.Unmarshal([]byte(env(t, spec, "WQ_COMMAND")), &got); err != nil || !slices.Equal(got, command) {
		t.Errorf("WQ_COMMAND is %q (%v), want %q", got, err, command)
	}
	if len(spec.InitContainers) != 1 || !slices.Equal(spec.InitContainers[0].Args, []string{"install", "/workqueue"}) {
		t.Fatalf("the init containers are %v, want one that installs the worker", spec.InitContainers)
	}
	if !slices.Equal(worker.Command, []string{"/workqueue/worker"}) || !slices.Equal(worker.Args, []string{"work"}) {
		t.Errorf("your image runs %v %v, want /workqueue/worker work", worker.Command, worker.Args)
	}
	from, to := mountAt(spec.InitContainers[0], "/workqueue"), mountAt(worker, "/workqueue")
	if from == "" || from != to || !emptyDir(spec, from) {
		t.Errorf("/workqueue is %q in the init container and %q in the worker, want one emptyDir of %v", from, to, spec.Volumes)
	}
	if tmp := mountAt(worker, "/tmp"); !emptyDir(spec, tmp) {
		t.Errorf("/tmp is %q of %v, want an emptyDir: the root is read-only", tmp, spec.Volumes)
	}
}

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// Mounted, the worker is where an init container would have copied it.
func TestTheWorkerAsAVolume(t *testing.T) {
	t.Parallel()
	const values = "{itemsFrom: {command: [list]}, image: {digest: '" + digest + "', pullPolicy: Always}, worker: {inject: image, image: b, command: [c]}}"
	all := release{values: values, kube: "1.35.0"}.objects(t)
	for _, spec := range []corev1.PodSpec{workerJob(t, all).Spec.Template.Spec, seedJob(t, all).Spec.Template.Spec} {
		c := spec.Containers[0]
		if len(spec.InitContainers) != 0 || !slices.Equal(c.Command, []string{"/workqueue/worker"}) {
			t.Errorf("%s runs %v after %v", c.Name, c.Command, spec.InitContainers)
		}
		name := mountAt(c, "/workqueue")
		i := slices.IndexFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == name })
		if i < 0 || spec.Volumes[i].Image == nil {
			t.Fatalf("%s has %q of %v at /workqueue, want an image", c.Name, name, spec.Volumes)
		}
		if got := spec.Volumes[i].Image; !strings.HasSuffix(got.Reference, "@"+digest) || got.PullPolicy != corev1.PullAlways {
			t.Errorf("%s mounts %v", c.Name, got)
		}
	}
	if test := testPod(t, all); len(test.Spec.Volumes) != 0 {
		t.Errorf("the test mounts %v: it is the worker's own image", test.Spec.Volumes)
	}
}

func TestYourVolumes(t *testing.T) {
	t.Parallel()
	const values = `
items: [apple]
worker:
  image: busybox
  command: ["true"]
  extraVolumes: [{name: scratch, emptyDir: {}}]
  extraVolumeMounts: [{name: scratch, mountPath: /tmp/}]
  extraEnvFrom: [{secretRef: {name: bucket}}]
`
	spec := workerJob(t, release{values: values}.objects(t)).Spec.Template.Spec
	paths := map[string]string{}
	for _, m := range spec.Containers[0].VolumeMounts {
		path := strings.TrimSuffix(m.MountPath, "/")
		if other, ok := paths[path]; ok {
			t.Errorf("%s and %s are both mounted at %s", other, m.Name, path)
		}
		paths[path] = m.Name
		if !emptyDir(spec, m.Name) {
			t.Errorf("%s is mounted, but is no volume of %v", m.Name, spec.Volumes)
		}
	}
	if paths["/tmp"] != "scratch" {
		t.Errorf("/tmp is %q, want your volume", paths["/tmp"])
	}
	if from := spec.Containers[0].EnvFrom; len(from) != 1 || from[0].SecretRef == nil || from[0].SecretRef.Name != "bucket" {
		t.Errorf("envFrom is %v", from)
	}
}

func mountAt(c corev1.Container, path string) string {
	for _, m := range c.VolumeMounts {
		if m.MountPath == path {
			return m.Name
		}
	}
	return ""
}

func emptyDir(spec corev1.PodSpec, name string) bool {
	return slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == name && v.EmptyDir != nil })
}

func TestItemsReachTheSeeding(t *testing.T) {
	t.Parallel()
	const values = `
items:
  - apple
  - ""
  - "no"
  - "a 'quoted' \"word\" & <tag> ✓\nand a line"
  - 7
  - 2.5
  - 1000000
  - 9007199254740991
  - 2024-01-01
  - {name: pear, tags: [a, null], count: 1}
  - apple
`
	const want = `["apple","","no","a 'quoted' \"word\" & <tag> ✓\nand a line",7,2.5,1000000,9007199254740991,"2024-01-01",{"count":1,"name":"pear","tags":["a",null]},"apple"]`
	all := release{values: values}.objects(t)
	items := find[*corev1.ConfigMap](t, all, "seed")
	if got := items.Data["items.json"]; got != want {
		t.Errorf("items.json is\n%s\nwant\n%s", got, want)
	}
	if items.Immutable == nil || !*items.Immutable {
		t.Error("the items are not immutable")
	}
	spec := seedJob(t, all).Spec.Template.Spec
	file := env(t, spec, "WQ_ITEMS_FILE")
	volume := mountAt(spec.Containers[0], strings.TrimSuffix(file, "/items.json"))
	if !slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool {
		return v.Name == volume && v.ConfigMap != nil && v.ConfigMap.Name == items.Name
	}) {
		t.Errorf("%s is in the volume %q of %v, want the ConfigMap %s", file, volume, spec.Volumes, items.Name)
	}
	if got := env(t, spec, "WQ_SEAL"); got != "true" {
		t.Errorf("WQ_SEAL is %q, want true", got)
	}
	if id := env(t, spec, "WQ_SEED_ID"); id == "" || queueName(t, all) != "demo-"+id {
		t.Errorf("WQ_SEED_ID is %q, and the queue %q: want the hash of the inputs in both", id, queueName(t, all))
	}
}

func TestAnOpenQueueMayBeEmpty(t *testing.T) {
	t.Parallel()
	all := release{values: "{items: [], queue: {seal: false}}"}.objects(t)
	if got := env(t, seedJob(t, all).Spec.Template.Spec, "WQ_SEAL"); got != "false" {
		t.Errorf("WQ_SEAL is %q, want false", got)
	}
	if got := find[*corev1.ConfigMap](t, all, "seed").Data["items.json"]; got != "[]" {
		t.Errorf("items.json is %q, want []", got)
	}
}

func TestTheAccount(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"{}":                         "default",
		"{create: true}":             "demo",
		"{create: true, name: mine}": "mine",
		"{name: mine}":               "mine",
	} {
		t.Run(values, func(t *testing.T) {
			all := release{values: "{items: [apple], serviceAccount: " + values + "}"}.objects(t)
			if got := workerJob(t, all).Spec.Template.Spec.ServiceAccountName; got != want {
				t.Errorf("the workers are %q, want %q", got, want)
			}
			if strings.Contains(values, "create") {
				if got := find[*corev1.ServiceAccount](t, all, "worker").Name; got != want {
					t.Errorf("the account is %q, want %q", got, want)
				}
			}
		})
	}
}

func TestRedisKeepsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	set := redis(t, release{values: "{items: [apple], redis: {extraArgs: [--maxmemory, 1gb]}}"}.objects(t))
	c := set.Spec.Template.Spec.Containers[0]
	args := strings.Join(c.Args, " ")
	for _, want := range []string{"--maxmemory-policy noeviction", "--appendonly yes", "--dir /data", "--maxmemory 1gb"} {
		if !strings.Contains(args, want) {
			t.Errorf("redis-server is started with %q, without %s", args, want)
		}
	}
	if !emptyDir(set.Spec.Template.Spec, mountAt(c, "/data")) {
		t.Errorf("/data is no emptyDir of %v", set.Spec.Template.Spec.Volumes)
	}
	if c.ReadinessProbe == nil || c.LivenessProbe == nil {
		t.Error("Redis has no probes")
	}
	if got := set.Spec.UpdateStrategy.Type; got != "OnDelete" {
		t.Errorf("updateStrategy is %s: without hooks, an upgrade would replace Redis, and lose the queue", got)
	}
}

func TestAnIndexedJobNeedsAKubernetesThatEndsItByOneSuccess(t *testing.T) {
	t.Parallel()
	_, err := release{values: "{items: [apple], worker: {indexed: true}}", kube: "1.30.0"}.render(t)
	if err == nil || !strings.Contains(err.Error(), "worker.indexed: needs Kubernetes 1.31, and this is v1.30.0") {
		t.Errorf("for 1.30: %v", err)
	}
}
