package generated

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/workqueue/workqueue/test/apis"
)

// The schema is made of values.yaml: a type from the default, a description from the comment that begins with `# --`, the rest
// from what follows `# @schema` behind the value. See https://github.com/losisin/helm-values-schema-json for that language.
func TestTheSchemaOfValuesIsFresh(t *testing.T) {
	fresh := valuesSchema(t)
	path := filepath.Join(chartDir, "values.schema.json")
	if *update {
		if err := os.WriteFile(path, fresh, 0o644); err != nil { //nolint:gosec // a file for everyone
			t.Fatal(err)
		}
	} else if !bytes.Equal(fresh, readFile(t, path)) {
		t.Errorf("%s is stale: %s", path, howToUpdate)
	}
}

func valuesSchema(t *testing.T) []byte {
	t.Helper()
	var schema any
	if err := json.Unmarshal(generated(t), &schema); err != nil {
		t.Fatal(err)
	}
	trustReferences(schema)
	suggest(t, schema.(map[string]any))
	suggestNearest(t, schema.(map[string]any), "")
	requireObjects(schema.(map[string]any))
	var pretty bytes.Buffer
	encoder := json.NewEncoder(&pretty)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		t.Fatal(err)
	}
	return pretty.Bytes()
}

// generated is what the generator makes of values.yaml, of the types beside it, and of those of Kubernetes.
func generated(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	types := apis.Kubernetes(t, apis.Newest())
	types["VolumeSource"] = withoutName(types["io.k8s.api.core.v1.Volume"])
	definitions, err := json.Marshal(map[string]any{"definitions": types})
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string][]byte{"kubernetes.json": definitions}
	for _, name := range []string{"values.yaml", "types.yaml"} {
		inputs[name] = readFile(t, filepath.Join(chartDir, name))
	}
	for name, text := range inputs {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tool, err := filepath.Abs(filepath.Join(binDir, "helm-schema"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool, "--use-helm-docs", "--no-additional-properties", "--bundle", "--bundle-without-id",
		"--schema-root.title", "Values of the chart workqueue")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%v: build the tools first, with make", err)
	} else if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return readFile(t, filepath.Join(dir, "values.schema.json"))
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// trustReferences takes away what was concluded from a default where a type says what is allowed: the default of an object
// has some of its keys only.
func trustReferences(node any) {
	switch node := node.(type) {
	case map[string]any:
		if node["$ref"] != nil {
			for _, concluded := range []string{"type", "properties", "additionalProperties"} {
				delete(node, concluded)
			}
		}
		for _, child := range node {
			trustReferences(child)
		}
	case []any:
		for _, child := range node {
			trustReferences(child)
		}
	}
}

// suggest adds the keys that people try, none of which has a valid value. A constant is the only text of its own that a schema can
// give an error.
func suggest(t *testing.T, schema map[string]any) {
	t.Helper()
	var types struct{ Instead map[string]string }
	if err := yaml.Unmarshal(readFile(t, filepath.Join(chartDir, "types.yaml")), &types); err != nil {
		t.Fatal(err)
	}
	for key, instead := range types.Instead {
		path := strings.Split(key, ".")
		properties := schema["properties"].(map[string]any)
		for _, name := range path[:len(path)-1] {
			properties = properties[name].(map[string]any)["properties"].(map[string]any)
		}
		name := path[len(path)-1]
		if properties[name] != nil {
			t.Errorf("types.yaml has %s among the keys that do not exist, and it exists", key)
		}
		properties[name] = givenAs(instead)
	}
}

// givenAs is a schema that no value fits.
func givenAs(key string) map[string]any { return map[string]any{"const": "given as " + key} }

// suggestNearest adds patterns for the keys that differ in one letter from a key of the root, or of an object there.
func suggestNearest(t *testing.T, object map[string]any, path string) {
	t.Helper()
	properties, _ := object["properties"].(map[string]any)
	if object["additionalProperties"] != false {
		return // other keys are allowed
	}
	patterns := map[string]any{}
	for key, property := range properties {
		property := property.(map[string]any)
		if property["const"] != nil || len(key) < 4 {
			continue
		}
		pattern := misspelt(key)
		for other := range properties {
			if regexp.MustCompile(pattern).MatchString(other) {
				t.Errorf("%s%s differs in one letter from %s%s: one would be refused as the other misspelt", path, other, path, key)
			}
		}
		patterns[pattern] = givenAs(path + key)
		if path == "" && property["$ref"] == nil {
			suggestNearest(t, property, key+".")
		}
	}
	if len(patterns) > 0 {
		object["patternProperties"] = patterns
	}
}

// requireObjects refuses null for an object with values in it: Helm takes the object away then, with its defaults.
func requireObjects(object map[string]any) {
	properties, _ := object["properties"].(map[string]any)
	var required []string
	for key, property := range properties {
		if property := property.(map[string]any); property["properties"] != nil && property["$ref"] == nil {
			required = append(required, key)
			requireObjects(property)
		}
	}
	if len(required) > 0 {
		slices.Sort(required)
		object["required"] = required
	}
}

// misspelt returns a pattern for a key with one letter left out, changed or added.
func misspelt(key string) string {
	pattern := key[len(key)-1:] + "."
	for i := len(key) - 1; i >= 0; i-- {
		letter, rest := key[i:i+1], key[i+1:]
		here := fmt.Sprintf("([^%s]?|.%s)%s", letter, letter, rest)
		if i == len(key)-1 {
			pattern = here + "|" + pattern
		} else {
			pattern = here + "|" + letter + "(" + pattern + ")"
		}
	}
	return "^(" + pattern + ")$"
}

// withoutName is a type of what has a name elsewhere.
func withoutName(named map[string]any) map[string]any {
	properties := maps.Clone(named["properties"].(map[string]any))
	delete(properties, "name")
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
}

// Every object says which keys it has, so that a misspelt one is refused.
func TestTheSchemaIsStrict(t *testing.T) {
	var schema any
	if err := json.Unmarshal(readFile(t, filepath.Join(chartDir, "values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	objects := 0
	var walk func(path string, node any)
	walk = func(path string, node any) {
		object, ok := node.(map[string]any)
		if !ok {
			return
		}
		if object["type"] == "object" {
			objects++
			if additional := object["additionalProperties"]; path != "/properties/global" && !strings.HasSuffix(path, "/anyObject") && (additional == nil || additional == true) { // a parent chart may have other globals
				t.Errorf("%s takes any key", path)
			}
		}
		for key, child := range object {
			walk(path+"/"+key, child)
		}
	}
	walk("", schema)
	if objects < 20 {
		t.Errorf("the schema has %d objects: this test does not look at all of them", objects)
	}
}

// A value that has no comment cannot be understood. And the schema tells, where an editor shows it, what values.yaml tells.
func TestEveryValueIsDescribed(t *testing.T) {
	var file yaml.Node
	if err := yaml.Unmarshal(readFile(t, filepath.Join(chartDir, "values.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	type property struct {
		Description string
		Properties  map[string]property
		Ref         string `json:"$ref"`
	}
	var root property
	if err := json.Unmarshal(readFile(t, filepath.Join(chartDir, "values.schema.json")), &root); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, values *yaml.Node, schema property)
	walk = func(path string, values *yaml.Node, schema property) {
		for i := 0; i < len(values.Content); i += 2 {
			key, value := values.Content[i], values.Content[i+1]
			name := strings.TrimPrefix(path+"."+key.Value, ".")
			comment, described := description(key)
			within := schema.Properties[key.Value]
			if schema.Ref != "" { // what is in a type of Kubernetes' is described there
				within = schema
			} else if within.Description != comment {
				t.Errorf("%s: values.yaml says\n\t%q, and the schema\n\t%q", name, comment, within.Description)
			}
			switch {
			case described:
			case value.Kind == yaml.MappingNode && len(value.Content) > 0:
				walk(name, value, within)
			default:
				t.Errorf("%s has no comment that begins with `# --`", name)
			}
		}
	}
	walk("", file.Content[0], root)
}
