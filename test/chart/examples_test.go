package chart

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gruntwork-io/terratest/modules/helm"
)

func TestExamplesPassLint(t *testing.T) {
	for _, example := range examples(t) {
		t.Run(filepath.Base(example), func(t *testing.T) {
			eachHelm(t, func(t *testing.T) {
				r := release{files: []string{example}}
				out, err := helm.RunHelmCommandAndGetOutputContextE(t, t.Context(), r.options(t), "lint",
					"--strict", "--kube-version", kubeVersion, "--values", example, chartDir)
				if err != nil {
					t.Errorf("helm lint --strict: %v\n%s", err, out)
				}
			})
		})
	}
}

// Every field has to be one that Kubernetes knows, of the type that it knows.
func TestExamplesAreValidKubernetes(t *testing.T) {
	schemas := t.TempDir()
	writeSchemas(t, schemas, "v"+kubeVersion)
	for _, example := range examples(t) {
		for _, values := range []string{"", "hooks: {enabled: false}"} {
			t.Run(filepath.Base(example)+" "+values, func(t *testing.T) {
				eachHelm(t, func(t *testing.T) {
					rendered, err := release{files: []string{example}, values: values}.render(t)
					if err != nil {
						t.Fatal(err)
					}
					if out, err := kubeconform(t, schemas, rendered); err != nil {
						t.Errorf("kubeconform: %v\n%s", err, out)
					}
				})
			})
		}
	}
	for name, wrong := range map[string]string{
		"an unknown field": "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {paralelism: 1, template: {spec: {containers: [{name: a}]}}}}",
		"a wrong type":     "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {parallelism: a, template: {spec: {containers: [{name: a}]}}}}",
		"a missing field":  "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {parallelism: 1}}",
		"a key twice":      "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: b, a: b}}",
	} {
		t.Run(name, func(t *testing.T) {
			useHelm(t, "helm4")
			if out, err := kubeconform(t, schemas, wrong); err == nil {
				t.Errorf("kubeconform accepts it: the test above cannot fail\n%s", out)
			}
		})
	}
}

func kubeconform(t *testing.T, schemas, manifests string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "kubeconform", "-strict", "-summary", "-verbose", "-skip", "ScaledObject,TriggerAuthentication",
		"-schema-location", filepath.Join(schemas, "{{.ResourceKind}}{{.KindSuffix}}.json"), "-")
	cmd.Stdin = strings.NewReader(manifests)
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("%v: build the tools first, with make", err)
	}
	return string(out), err
}

// With Helm 4 only: Helm 3 wants a cluster even for a dry run.
func TestNotesHaveTheNextCommands(t *testing.T) {
	useHelm(t, "helm4")
	notes := func(r release) string {
		out, err := helm.RunHelmCommandAndGetOutputContextE(t, t.Context(), r.options(t), "install",
			"--dry-run=client", "--values", valuesFile(t, r.values), "demo", chartDir)
		if err != nil {
			t.Fatalf("helm install --dry-run=client: %v\n%s", err, out)
		}
		_, notes, ok := strings.Cut(out, "\nNOTES:\n")
		if !ok {
			t.Fatalf("no notes in\n%s", out)
		}
		return notes
	}
	stream := notes(release{values: "{queue: {seal: false}, worker: {kind: Deployment, keda: {enabled: true}}}"})
	if !strings.Contains(stream, "exec -i deployment/demo-worker -- /worker push") || strings.Contains(stream, "seal") || strings.Contains(stream, "parallelism") {
		t.Errorf("these are no commands for a Deployment that KEDA scales:\n%s", stream)
	}
	for _, test := range []struct {
		values string
		want   []string
	}{
		{"items: [apple, pear]", []string{
			"2 items in the queue QUEUE, for 2 pods of the Job JOB.",
			"helm test demo -n somewhere --logs",
			"kubectl -n somewhere wait --for=condition=complete --timeout=1h job/JOB",
			"kubectl -n somewhere logs -f -l batch.kubernetes.io/job-name=JOB",
			"kubectl -n somewhere exec demo-redis-0 -- redis-cli lrange QUEUE 0 9",
			"--set worker.parallelism=4",
			"helm uninstall demo -n somewhere",
		}},
		{"{items: [apple], worker: {parallelism: 1}, queue: {name: job2, seal: false}}", []string{
			"1 item in the queue job2, for 1 pod of the Job JOB.",
			"kubectl -n somewhere exec -i job/JOB -- /worker push < items.txt",
			"kubectl -n somewhere exec job/JOB -- /worker seal",
		}},
		{"{items: [apple], itemsFrom: {range: {start: 1, end: 9}, configMap: {name: list}}, worker: {image: b, command: [c]}}", []string{
			"1 item, and those of the ConfigMap list, a range, in the queue QUEUE",
			"kubectl -n somewhere exec -it job/JOB -- /workqueue/worker watch",
		}},
		{"{itemsFrom: {image: b, command: [ls, /]}}", []string{
			"The items of the program ls in the queue QUEUE",
		}},
	} {
		r := release{values: test.values}
		all, got := r.objects(t), notes(r)
		for _, want := range test.want {
			want = strings.NewReplacer("QUEUE", queueName(t, all), "JOB", workerJob(t, all).Name).Replace(want)
			if !strings.Contains(got, want) {
				t.Errorf("the notes lack %q:\n%s", want, got)
			}
		}
	}
}
