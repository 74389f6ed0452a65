package chart

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gruntwork-io/terratest/modules/helm"
	"go.yaml.in/yaml/v3"
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
	writeSchemas(t, schemas)
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

// The three places that list the values have to agree: a value that the schema does not have cannot be set, and one without a
// comment cannot be understood.
func TestEveryValueIsDescribed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	schemaText, err := os.ReadFile(filepath.Join(chartDir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema yaml.Node // JSON is YAML.
	if err := yaml.Unmarshal(schemaText, &schema); err != nil {
		t.Fatal(err)
	}
	definitions := entries(entries(schema.Content[0])["definitions"])
	describe(t, "", file.Content[0], schema.Content[0], definitions)
}

func describe(t *testing.T, path string, values, schema *yaml.Node, definitions map[string]*yaml.Node) {
	t.Helper()
	properties := entries(property(schema, "properties", definitions))
	for i := 0; i < len(values.Content); i += 2 {
		key, value := values.Content[i], values.Content[i+1]
		name := strings.TrimPrefix(path+"."+key.Value, ".")
		s, known := properties[key.Value]
		if len(properties) > 0 && !known {
			t.Errorf("%s is in values.yaml, but not in values.schema.json", name)
		}
		delete(properties, key.Value)
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 && !strings.Contains(key.HeadComment, "# --") {
			describe(t, name, value, s, definitions)
			continue
		}
		comments := strings.Split(key.HeadComment, "\n")
		if !slices.ContainsFunc(comments, func(c string) bool { return strings.HasPrefix(c, "# -- ") }) {
			t.Errorf("%s has no comment that starts with `# --` in values.yaml", name)
		}
	}
	for key := range properties {
		if path+"."+key != ".global" && !strings.HasSuffix(path, "resources") {
			t.Errorf("%s.%s is in values.schema.json, but not in values.yaml", path, key)
		}
	}
}

// property is a keyword of a schema, wherever its references hide it.
func property(schema *yaml.Node, keyword string, definitions map[string]*yaml.Node) *yaml.Node {
	keywords := entries(schema)
	if p, ok := keywords[keyword]; ok {
		return p
	}
	if ref, ok := keywords["$ref"]; ok {
		return property(definitions[strings.TrimPrefix(ref.Value, "#/definitions/")], keyword, definitions)
	}
	if all, ok := keywords["allOf"]; ok {
		for _, s := range all.Content {
			if p := property(s, keyword, definitions); p != nil {
				return p
			}
		}
	}
	return nil
}

func entries(mapping *yaml.Node) map[string]*yaml.Node {
	if mapping == nil {
		return nil
	}
	m := map[string]*yaml.Node{}
	for i := 0; i < len(mapping.Content); i += 2 {
		m[mapping.Content[i].Value] = mapping.Content[i+1]
	}
	return m
}
