package apis

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The modules of the custom kinds that the chart makes, and the files with their definitions.
var extensions = map[string][]string{
	"github.com/kedacore/keda/v2@v2.21.0": {
		"config/crd/bases/keda.sh_scaledobjects.yaml",
		"config/crd/bases/keda.sh_triggerauthentications.yaml",
	},
	"sigs.k8s.io/gateway-api@v1.4.0": {
		"config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
	},
	"github.com/prometheus-operator/prometheus-operator@v0.85.0": {
		"example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
		"example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
	},
}

// CustomResourceDefinitions returns the files that define the custom kinds which the chart makes.
func CustomResourceDefinitions(t testing.TB) []string {
	t.Helper()
	var all []string
	for path, files := range extensions {
		dir := module(t, path)
		for _, file := range files {
			all = append(all, filepath.Join(dir, file))
		}
	}
	return all
}

var custom struct {
	once    sync.Once
	schemas map[string][]byte
}

// customSchemas returns the schema of each custom kind by the name of its file. It takes them from their definitions once.
func customSchemas(t testing.TB) map[string][]byte {
	t.Helper()
	custom.once.Do(func() { custom.schemas = readCustomSchemas(t) })
	return custom.schemas
}

func readCustomSchemas(t testing.TB) map[string][]byte {
	t.Helper()
	schemas := map[string][]byte{}
	for _, path := range CustomResourceDefinitions(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var definition struct {
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct {
						OpenAPI map[string]any `yaml:"openAPIV3Schema"`
					}
				}
			}
		}
		if err := yaml.Unmarshal(text, &definition); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, version := range definition.Spec.Versions {
			makeStrict(version.Schema.OpenAPI)
			schema, err := json.Marshal(version.Schema.OpenAPI)
			if err != nil {
				t.Fatal(err)
			}
			schemas[schemaName(definition.Spec.Group, version.Name, definition.Spec.Names.Kind)] = schema
		}
	}
	return schemas
}

// makeStrict makes a schema refuse fields that the API server would silently drop.
func makeStrict(node any) {
	switch node := node.(type) {
	case map[string]any:
		if node["properties"] != nil && node["x-kubernetes-preserve-unknown-fields"] != true {
			node["additionalProperties"] = false
		}
		for _, child := range node {
			makeStrict(child)
		}
	case []any:
		for _, child := range node {
			makeStrict(child)
		}
	}
}
