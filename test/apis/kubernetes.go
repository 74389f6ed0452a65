// Package apis has the types of Kubernetes, and of what extends it, as they say themselves: from the files that are part of
// their Go modules, so that nobody is asked but the Go module proxy.
package apis

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Versions are the versions of Kubernetes that the chart is for, from the oldest on: one release of each minor version.
var Versions = []string{
	"v1.29.6", "v1.30.14", "v1.31.14", "v1.32.13", "v1.33.13", "v1.34.4", "v1.35.4", "v1.36.3", "v1.37.2",
}

// Newest is the last of them.
func Newest() string { return Versions[len(Versions)-1] }

// Types are schemas by name, with references of the form #/definitions/NAME.
type Types map[string]map[string]any

// Kubernetes are the types of a version of Kubernetes. They are strict: a field that is not in them is wrong.
func Kubernetes(t testing.TB, version string) Types {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(module(t, "k8s.io/kubernetes@"+version), "api/openapi-spec/swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	var openAPI struct{ Definitions Types }
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

// WriteSchemas writes a schema for each kind of a version of Kubernetes, and of the CustomResourceDefinitions, by the names
// that are in Location.
func WriteSchemas(t testing.TB, dir, version string) {
	t.Helper()
	types := Kubernetes(t, version)
	write(t, filepath.Join(dir, "types.json"), map[string]any{"definitions": types})
	for name, schema := range types {
		kinds, _ := schema["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 { // several share the options of a deletion, and the like
			continue
		}
		kind := kinds[0].(map[string]any)
		path := filepath.Join(dir, schemaName(kind["group"].(string), kind["version"].(string), kind["kind"].(string)))
		write(t, path, map[string]any{"$ref": "types.json#/definitions/" + name})
	}
	writeCustomSchemas(t, dir)
}

// Location tells kubeconform the names of what WriteSchemas has written.
const Location = "{{.ResourceKind}}{{.KindSuffix}}.json"

func schemaName(group, version, kind string) string {
	if group != "" {
		group = "-" + strings.Split(group, ".")[0]
	}
	return strings.ToLower(kind) + group + "-" + version + ".json"
}

func write(t testing.TB, path string, schema any) {
	t.Helper()
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// module is the folder of a module, path@version, downloaded if need be.
func module(t testing.TB, path string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", path)
	cmd.Dir = t.TempDir() // outside of any module, whose go.mod it might change
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	return found.Dir
}
