// Package apis has the schemas of Kubernetes and of its extensions. They come from files in their Go modules, so that only the Go
// module proxy is needed.
package apis

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Versions are the Kubernetes versions that the chart supports, oldest first: one release of each minor version.
var Versions = []string{
	"v1.29.6", "v1.30.14", "v1.31.14", "v1.32.13", "v1.33.13", "v1.34.4", "v1.35.4", "v1.36.3", "v1.37.2",
}

// Newest is the last of them.
func Newest() string { return Versions[len(Versions)-1] }

// Types are schemas by name, with references of the form #/definitions/NAME.
type Types map[string]map[string]any

// Kubernetes returns the types of a version of Kubernetes. They are strict: an unknown field is an error. They lack descriptions, which
// are nine tenths of them.
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
		delete(schema, "description")
		properties, _ := schema["properties"].(map[string]any)
		for _, property := range properties {
			delete(property.(map[string]any), "description")
		}
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
	for name, schema := range customSchemas(t) {
		if err := os.WriteFile(filepath.Join(dir, name), schema, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Location is the pattern by which kubeconform finds the files of WriteSchemas.
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

// module returns the folder of the module path@version and downloads it if necessary.
func module(t testing.TB, path string) string {
	t.Helper()
	if dir, ok := modules.Load(path); ok {
		return dir.(string)
	}
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
	modules.Store(path, found.Dir)
	return found.Dir
}

// modules are the folders of modules by path@version: to ask Go takes a process.
var modules sync.Map
