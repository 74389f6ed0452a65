package chart

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/workqueue/workqueue/worker/fields"
)

func TestModesReachTheWorker(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]map[string]string{
		"mode: exec, record: results, resultBytes: 10000000, maxResults: 7, output: tagged": {
			"WQ_MODE": "exec", "WQ_RECORD": "results", "WQ_RESULT_BYTES": "10000000", "WQ_MAX_RESULTS": "7", "WQ_OUTPUT": "tagged",
		},
		"input: stdin": {"WQ_INPUT": "stdin"},
		"mode: batch, batchSize: 50, delimiter: nul":  {"WQ_MODE": "batch", "WQ_BATCH_SIZE": "50", "WQ_DELIMITER": "nul"},
		"mode: stream, inFlight: 9, startTimeout: 1h": {"WQ_MODE": "stream", "WQ_IN_FLIGHT": "9", "WQ_START_TIMEOUT": "1h"},
	} {
		t.Run(values, func(t *testing.T) {
			spec := workerJob(t, release{values: "{items: [a], worker: {image: b, command: [c], " + values + "}}"}.objects(t)).Spec.Template.Spec
			for name, value := range want {
				if got := env(t, spec, name); got != value {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
		})
	}
}

// TestTextsThatAreNoPlaceholders: what the worker passes on as it is, the chart must not refuse.
func TestTextsThatAreNoPlaceholders(t *testing.T) {
	t.Parallel()
	for _, argument := range []string{"{{.Names}}", "${#}", `\{}`, `\{.}`, `\{.a.}`, `s/\{.*}//`, `\{.items[*].a}`, `{.*\}`, `{."Size (MB)"}`, `{."a}b"."c\"d"}`, "{.a", "{.First name}", "{.größe.x-y}", "{#}", "{}"} {
		quoted, err := json.Marshal(argument)
		if err != nil {
			t.Fatal(err)
		}
		if err := fields.Command([]string{argument}).Check(); err != nil {
			t.Errorf("the worker refuses %s: %v", argument, err)
		}
		if _, err := (release{values: "{items: [a], worker: {image: b, command: [c, " + string(quoted) + "]}}"}).render(t); err != nil {
			t.Errorf("%s: %v", argument, err)
		}
	}
}

// TestPlaceholdersInCode: chart and worker refuse the same commands, in which an item would be code.
func TestPlaceholdersInCode(t *testing.T) {
	t.Parallel()
	for line, index := range map[string]int{
		"sh|-c|echo {}": 2, "bash|-lc|{.a}": 2, "bash|-ceuo|pipefail|{#}": 3, "timeout|5|sh|-c|{}": 4, "env|-S|sh -c {}": 2, "su|nobody|-c|{}": 3,
		"python3|-c|counts = {}": 2, "python3.12|-cprint('{}')": 1, "perl|-e|1;|-ne|{}": 4, "ruby|-rjson|-e|{}": 3, "node|--eval=f({})": 1, "php|-d|a=b|-nr|{}": 4,
		"sh|-c|exec \"$@\"|sh|python|-c|{}": 6, "sh|-c|a\n{}\nb": 2, "sh|-c|${}": 2, "fish|--command|{}": 2,
		`sh|-c|find "$1" -exec ls \{} \;|sh|{}`: 0, "bash|script.sh|-c|{}": 0, "wc|-c|{}": 0, "python|-m|pytest|-c|{}": 0, `python|-c|counts = \{}|{}`: 0,
		"perl|-e|print $ARGV[0]|{}": 0, "node|app.js|-e|{}": 0, "ssh|-c|cipher|{}": 0, "sh|-c|${#} {{.a}}": 0, "env|A={}|tool|{}": 0,
	} {
		command := strings.Split(line, "|")
		quoted, err := json.Marshal(command)
		if err != nil {
			t.Fatal(err)
		}
		_, err = (release{values: "{items: [a], worker: {image: b, command: " + string(quoted) + "}}"}).render(t)
		refusal := fields.Command(command).Check()
		switch {
		case index == 0 && (err != nil || refusal != nil):
			t.Errorf("%s: the chart says %v, the worker %v", line, err, refusal)
		case index > 0 && (err == nil || refusal == nil):
			t.Errorf("%s: the chart says %v, the worker %v", line, err, refusal)
		case index > 0 && !strings.Contains(err.Error(), fmt.Sprintf("worker.command[%d]: %v", index, refusal)):
			t.Errorf("%s: the chart says %v, and the worker %v", line, err, refusal)
		}
	}
}

func TestItemsFromElsewhere(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, values string
		want         map[string]string
		mounted      func(v corev1.VolumeSource) bool
	}{
		{
			name: "a ConfigMap", values: "configMap: {name: list}",
			want:    map[string]string{"WQ_ITEMS_PATHS": "/items/configmap/", "WQ_DELIMITER": "newline"},
			mounted: func(v corev1.VolumeSource) bool { return v.ConfigMap != nil && v.ConfigMap.Name == "list" },
		},
		{
			name: "a key of a Secret", values: "secret: {name: list, key: urls.txt}, delimiter: nul",
			want:    map[string]string{"WQ_ITEMS_PATHS": "/items/secret/urls.txt", "WQ_DELIMITER": "nul"},
			mounted: func(v corev1.VolumeSource) bool { return v.Secret != nil && v.Secret.SecretName == "list" },
		},
		{
			name: "a volume", values: "volume: {persistentVolumeClaim: {claimName: lists}}, path: a/b.txt",
			want: map[string]string{"WQ_ITEMS_PATHS": "/items/volume/a/b.txt"},
			mounted: func(v corev1.VolumeSource) bool {
				return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == "lists"
			},
		},
		{
			name: "a range", values: "range: {start: 1, end: 20000000, step: 2, format: 'page-%03d'}",
			want: map[string]string{"WQ_ITEMS_RANGE": `{"end":20000000,"format":"page-%03d","start":1,"step":2}`},
		},
		{
			name: "a program", values: "image: tools, command: [sh, -c, 'ls \"$0\" <&-', /data]",
			want:    map[string]string{"WQ_ITEMS_COMMAND": `["sh","-c","ls \"\u00240\" <&-","/data"]`},
			mounted: func(v corev1.VolumeSource) bool { return v.EmptyDir != nil },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := seedJob(t, release{values: "itemsFrom: {" + test.values + "}"}.objects(t)).Spec.Template.Spec
			for name, value := range test.want {
				if got := env(t, spec, name); got != value {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
			if test.mounted != nil && !slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool {
				return test.mounted(v.VolumeSource) && slices.ContainsFunc(spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == v.Name })
			}) {
				t.Errorf("the volumes are %v, mounted as %v", spec.Volumes, spec.Containers[0].VolumeMounts)
			}
		})
	}
}

func TestItemsFromAProgram(t *testing.T) {
	t.Parallel()
	const values = `
itemsFrom: {command: [list]}
worker: {image: mine, imagePullPolicy: Always, command: [work], podSecurityContext: {runAsUser: 7}}
seed: {extraEnv: [{name: BUCKET, value: b}], extraEnvFrom: [{secretRef: {name: bucket}}], serviceAccountName: lister}
`
	spec := seedJob(t, release{values: values}.objects(t)).Spec.Template.Spec
	c := spec.Containers[0]
	if c.Image != "mine" || c.ImagePullPolicy != corev1.PullAlways || !slices.Equal(c.Command, []string{"/workqueue/worker"}) || !slices.Equal(c.Args, []string{"seed"}) {
		t.Errorf("%s runs %v %v, pulled %s: want the worker's seed in your image", c.Image, c.Command, c.Args, c.ImagePullPolicy)
	}
	if len(spec.InitContainers) != 1 || mountAt(spec.InitContainers[0], "/workqueue") != mountAt(c, "/workqueue") {
		t.Errorf("the init containers are %v, want one that installs the worker", spec.InitContainers)
	}
	if user := spec.SecurityContext.RunAsUser; user == nil || *user != 7 {
		t.Errorf("your program runs as user %v, want that of the workers", user)
	}
	if got := env(t, spec, "BUCKET"); got != "b" || len(c.EnvFrom) != 1 || spec.ServiceAccountName != "lister" {
		t.Errorf("BUCKET is %q, envFrom %v, the account %q", got, c.EnvFrom, spec.ServiceAccountName)
	}
	c = seedJob(t, release{values: "{itemsFrom: {command: [list], image: tools}, worker: {image: mine, imagePullPolicy: Never, command: [work]}}"}.objects(t)).Spec.Template.Spec.Containers[0]
	if c.Image != "tools" || c.ImagePullPolicy != "" {
		t.Errorf("the image is %s, pulled %q: want itemsFrom.image, by Kubernetes' own rule", c.Image, c.ImagePullPolicy)
	}
}

// TestEmptyLists: whether lists may be empty reaches the seed, and does not name another run.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	strict := seedJob(t, release{values: "{itemsFrom: {command: [list]}, worker: {image: mine, command: [work]}}"}.objects(t)).Spec.Template.Spec
	lax := seedJob(t, release{values: "{itemsFrom: {command: [list], allowEmpty: true}, worker: {image: mine, command: [work]}}"}.objects(t)).Spec.Template.Spec
	if got := env(t, lax, "WQ_ALLOW_EMPTY"); got != "true" {
		t.Errorf("WQ_ALLOW_EMPTY is %q", got)
	}
	if env(t, strict, "WQ_SEED_ID") != env(t, lax, "WQ_SEED_ID") {
		t.Error("it is another run")
	}
	if _, err := (release{values: "{items: [], itemsFrom: {allowEmpty: true}, worker: {image: mine, command: [work]}}"}).render(t); err != nil {
		t.Error(err)
	}
}
