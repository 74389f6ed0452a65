// Package docs tests that what the documentation names exists: links, values, variables, verbs and targets of make.
package docs

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/workqueue/workqueue/test/render"
)

const root = "../.."

// page is one Markdown file.
type page struct {
	path, text string
}

// pages returns every Markdown file of the project.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	for _, pattern := range []string{"*.md", "docs/*.md", "charts/*/*.md", "test/*/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			all = append(all, page{path, read(t, path)})
		}
	}
	if len(all) < 15 {
		t.Fatalf("found %d pages only", len(all))
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fence  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	indent = regexp.MustCompile(`(?m)^ {4}\S.*$`)
	span   = regexp.MustCompile("`([^`\n]+)`")
)

// code returns everything that the page shows as code: blocks, indented lines and spans.
func (p page) code() []string {
	var all []string
	for _, block := range fence.FindAllStringSubmatch(p.text, -1) {
		all = append(all, block[2])
	}
	prose := fence.ReplaceAllString(p.text, "")
	all = append(all, indent.FindAllString(prose, -1)...)
	for _, one := range span.FindAllStringSubmatch(indent.ReplaceAllString(prose, ""), -1) {
		all = append(all, one[1])
	}
	return all
}

var (
	link        = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading     = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns the fragments that lead to the page's headings on GitHub.
func anchors(markdown string) []string {
	var all []string
	for _, found := range heading.FindAllStringSubmatch(fence.ReplaceAllString(markdown, ""), -1) {
		all = append(all, strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(found[1]), ""), " ", "-"))
	}
	return all
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, p := range pages(t) {
		for _, found := range link.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			path, fragment, _ := strings.Cut(found[1], "#")
			target := p.path
			if path != "" {
				target = filepath.Join(filepath.Dir(p.path), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: no such file", p.path, found[1])
			} else if fragment != "" && !slices.Contains(anchors(read(t, target)), fragment) {
				t.Errorf("%s links to %s: no such heading", p.path, found[1])
			}
		}
	}
}

// schema is a part of the chart's values.schema.json, which the chart's tests make from values.yaml.
type schema map[string]any

func readSchema(t *testing.T) schema {
	t.Helper()
	var s schema
	if err := json.Unmarshal([]byte(read(t, filepath.Join(root, "charts/workqueue/values.schema.json"))), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// resolve follows references.
func (s schema) resolve(part schema) schema {
	for {
		ref, ok := part["$ref"].(string)
		if !ok {
			return part
		}
		at := any(map[string]any(s))
		for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
			parent, _ := at.(map[string]any)
			at = parent[name]
		}
		next, _ := at.(map[string]any)
		part = next
	}
}

// has reports whether the schema allows a value of that name.
func (s schema) has(part schema, path []string) bool {
	for _, name := range path {
		part = s.resolve(part)
		properties, _ := part["properties"].(map[string]any)
		property, ok := properties[name].(map[string]any)
		if !ok {
			return part["additionalProperties"] != false
		}
		part = property
	}
	return true
}

// valuePath is a value's name with at least one dot, as in `worker.indexed: true` or --set worker.parallelism=4.
var valuePath = regexp.MustCompile(`(?:^|--set(?:-file|-string|-json)?[ =]'?)([a-z]\w*(?:\.\w+)+)(?:$|[:=])`)

var fileName = regexp.MustCompile(`\.(?:md|yaml|json|jsonl|txt|txtar|py|go|lua|sh|png|crt|key|log)$`)

// values returns what is shown as values of the chart: in blocks by themselves, and in the objects of Flux, Argo CD and Kustomize.
func (p page) values(t *testing.T) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, block := range fence.FindAllStringSubmatch(p.text, -1) {
		if block[1] != "yaml" {
			continue
		}
		var value map[string]any
		if err := yaml.Unmarshal([]byte(block[2]), &value); err != nil {
			t.Errorf("%s: %v in\n%s", p.path, err, block[2])
			continue
		}
		if value["kind"] != nil {
			value = delivered(value)
		}
		if value != nil {
			all = append(all, value)
		}
	}
	return all
}

// delivered returns the values of the chart that an object of a delivery tool has, nil if it has none.
func delivered(node any) map[string]any {
	switch node := node.(type) {
	case map[string]any:
		for key, child := range node {
			values, _ := child.(map[string]any)
			if values == nil || !slices.Contains([]string{"values", "valuesInline", "valuesObject"}, key) {
				values = delivered(child)
			}
			if values != nil {
				return values
			}
		}
	case []any:
		for _, child := range node {
			if values := delivered(child); values != nil {
				return values
			}
		}
	}
	return nil
}

// TestValuesCanBeInstalled renders what each page shows, with an item and something to run for those that show none.
func TestValuesCanBeInstalled(t *testing.T) {
	r := render.Release{Chart: filepath.Join(root, "charts/workqueue"), Name: "mine", Namespace: "default", Kube: "1.35.0"}
	found := 0
	for _, p := range pages(t) {
		for _, values := range p.values(t) {
			found++
			complete := maps.Clone(values)
			if complete["items"] == nil && complete["itemsFrom"] == nil {
				complete["items"] = []any{"apple"}
			}
			if _, err := r.Render(render.Printing(complete)); err != nil {
				text, _ := yaml.Marshal(values)
				t.Errorf("%s: %v, with\n%s", p.path, err, text)
			}
		}
	}
	if found < 10 {
		t.Errorf("found %d blocks of values only", found)
	}
}

func TestValuesNamedExist(t *testing.T) {
	s := readSchema(t)
	properties, _ := s["properties"].(map[string]any)
	names := 0
	for _, p := range pages(t) {
		for _, code := range p.code() {
			for _, found := range valuePath.FindAllStringSubmatch(code, -1) {
				path := strings.Split(found[1], ".")
				if properties[path[0]] == nil || fileName.MatchString(found[1]) {
					continue
				}
				names++
				if !s.has(s.resolve(map[string]any(s)), path) {
					t.Errorf("%s: the chart has no value %s, which stands in %s", p.path, found[1], code)
				}
			}
		}
	}
	if names < 50 {
		t.Errorf("found %d names only", names)
	}
}

var variable = regexp.MustCompile(`\bWQ_[A-Z_]+`)

// TestVariablesExist looks for each variable in the worker's code, and in the scripts for those of the tests' cluster.
func TestVariablesExist(t *testing.T) {
	known := map[string]bool{}
	for _, dir := range []string{"worker", "test/kind"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".md") {
				return err
			}
			for _, name := range variable.FindAllString(read(t, path), -1) {
				known[name] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range pages(t) {
		for _, name := range variable.FindAllString(p.text, -1) {
			prefix := strings.HasSuffix(name, "_") // as in WQ_REDIS_…
			if !known[name] && !(prefix && slices.ContainsFunc(slices.Collect(maps.Keys(known)), func(one string) bool {
				return strings.HasPrefix(one, name) && one != name
			})) {
				t.Errorf("%s: no program reads the variable %s", p.path, name)
			}
		}
	}
}

var (
	verb        = regexp.MustCompile(`(?:^|[ /])worker ([a-z]+)\b`)
	verbInTable = regexp.MustCompile(`(?m)^\tname: +"([a-z]+)",`)
	target      = regexp.MustCompile(`(?:^|\s|&& )make ([a-z][a-z-]*)\b`)
)

func TestVerbsAndTargetsExist(t *testing.T) {
	verbs := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(root, "worker/verb_*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		for _, found := range verbInTable.FindAllStringSubmatch(read(t, path), -1) {
			verbs[found[1]] = true
		}
	}
	if len(verbs) < 10 {
		t.Fatalf("found %d verbs in worker/verb_*.go only", len(verbs))
	}
	makefile := read(t, filepath.Join(root, "Makefile"))
	for _, p := range pages(t) {
		for _, code := range p.code() {
			for _, found := range verb.FindAllStringSubmatch(code, -1) {
				if !verbs[found[1]] {
					t.Errorf("%s: the worker has no verb %s, which stands in %s", p.path, found[1], code)
				}
			}
			for _, found := range target.FindAllStringSubmatch(code, -1) {
				if !regexp.MustCompile(`(?m)^` + found[1] + `:`).MatchString(makefile) {
					t.Errorf("%s: the Makefile has no target %s, which stands in %s", p.path, found[1], code)
				}
			}
		}
	}
}

var pipe = regexp.MustCompile(`[^|]\|[^|]`)

// TestPipesReportTheirFailures: an item whose shell line is a pipe is done if the last command of the pipe succeeds, whatever
// became of the others, unless the shell is told otherwise.
func TestPipesReportTheirFailures(t *testing.T) {
	sources := pages(t)
	paths, err := filepath.Glob(filepath.Join(root, "values-examples/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		sources = append(sources, page{path, read(t, path)})
	}
	for _, p := range sources {
		for line := range strings.Lines(p.text) {
			_, script, ok := strings.Cut(line, "command: [sh, -c, ")
			if ok && pipe.MatchString(script) && !strings.Contains(script, "pipefail") {
				t.Errorf("%s: a failure before the pipe counts as done: %s", p.path, strings.TrimSpace(line))
			}
		}
	}
}
