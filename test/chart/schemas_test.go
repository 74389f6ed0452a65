package chart

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const definition = "#/definitions/"

// The Kubernetes that the chart is for, from the oldest on: a release of each minor version.
var kubernetesVersions = []string{"v1.29.6", "v1.30.14", "v1.31.14", "v1.32.13", "v1.33.13", "v1.34.4", "v1.35.4", "v1.36.3", "v1.37.2"}

func newestKubernetes() string { return kubernetesVersions[len(kubernetesVersions)-1] }

// kubernetesDefinitions are the types of a version of Kubernetes, made strict, from the OpenAPI document that is part of its Go
// module: nobody is asked but the Go module proxy.
func kubernetesDefinitions(t *testing.T, version string) map[string]map[string]any {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "k8s.io/kubernetes@"+version)
	cmd.Dir = t.TempDir() // outside of any module, whose go.mod it might change
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(module.Dir, "api/openapi-spec/swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	var openAPI struct{ Definitions map[string]map[string]any }
	if err := json.Unmarshal(text, &openAPI); err != nil {
		t.Fatal(err)
	}
	for name, schema := range openAPI.Definitions {
		switch {
		case strings.HasSuffix(name, ".IntOrString"):
			openAPI.Definitions[name] = map[string]any{"type": []string{"integer", "string"}}
		case strings.HasSuffix(name, ".Quantity"):
			openAPI.Definitions[name] = map[string]any{"type": []string{"number", "string"}}
		case schema["properties"] != nil:
			schema["additionalProperties"] = false
		}
	}
	return openAPI.Definitions
}

// writeSchemas makes strict JSON schemas, one a kind, of a version of Kubernetes.
func writeSchemas(t *testing.T, dir, version string) {
	t.Helper()
	definitions := kubernetesDefinitions(t, version)
	written := 0
	for name, kinds := range map[string]string{
		"io.k8s.api.apps.v1.":       "StatefulSet Deployment",
		"io.k8s.api.batch.v1.":      "Job",
		"io.k8s.api.networking.v1.": "NetworkPolicy",
		"io.k8s.api.core.v1.":       "ConfigMap PersistentVolumeClaim Pod Secret Service ServiceAccount",
	} {
		for kind := range strings.FieldsSeq(kinds) {
			root := name + kind
			used := map[string]any{}
			collect(definitions, root, used)
			schema, err := json.Marshal(map[string]any{"$ref": definition + root, "definitions": used})
			if err != nil {
				t.Fatal(err)
			}
			group := strings.Split(name, ".")[3]
			suffix := "-" + group + "-v1"
			if group == "core" {
				suffix = "-v1"
			}
			if err := os.WriteFile(filepath.Join(dir, strings.ToLower(kind)+suffix+".json"), schema, 0o600); err != nil {
				t.Fatal(err)
			}
			written++
		}
	}
	if written == 0 {
		t.Fatal("no schemas written")
	}
}

// collect adds a definition, and every one that it refers to.
func collect(all map[string]map[string]any, name string, used map[string]any) {
	if _, ok := used[name]; ok {
		return
	}
	used[name] = all[name]
	var walk func(node any)
	walk = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			if ref, ok := node["$ref"].(string); ok {
				collect(all, strings.TrimPrefix(ref, definition), used)
			}
			for _, child := range node {
				walk(child)
			}
		case []any:
			for _, child := range node {
				walk(child)
			}
		}
	}
	walk(all[name])
}
