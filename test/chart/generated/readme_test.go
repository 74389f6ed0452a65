package generated

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the chart's schema, and the table of values in its README")

// What is to be done after a change of values.yaml.
const howToUpdate = "make generate"

const (
	chartDir = "../../../charts/workqueue"
	binDir   = "../../../bin"
)

// The table is made of values.yaml and its comments.
func TestTheTableOfValuesIsFresh(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("\n| value | default | |\n|---|---|---|\n")
	rows(t, &table, "", file.Content[0])

	path := filepath.Join(chartDir, "README.md")
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- values -->\n", "\n<!-- end of values -->"
	before, rest, ok := strings.Cut(string(readme), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table, between %q and %q", path, begin, end)
	}
	fresh := before + begin + table.String() + end + after
	if *update {
		if err := os.WriteFile(path, []byte(fresh), 0o644); err != nil { //nolint:gosec // a file for everyone
			t.Fatal(err)
		}
	} else if fresh != string(readme) {
		t.Errorf("the table of values in %s is stale: %s", path, howToUpdate)
	}
}

// rows writes a row for each value that has a comment of its own.
func rows(t *testing.T, table *strings.Builder, path string, values *yaml.Node) {
	t.Helper()
	for i := 0; i < len(values.Content); i += 2 {
		key, value := values.Content[i], values.Content[i+1]
		name := strings.TrimPrefix(path+"."+key.Value, ".")
		text, described := description(key)
		if !described {
			rows(t, table, name, value)
			continue
		}
		uncomment(value)
		value.Style = yaml.FlowStyle
		shown, err := yaml.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(table, "| `%s` | `%s` | %s |\n", name, strings.TrimSpace(string(shown)), strings.ReplaceAll(text, "|", `\|`))
	}
}

// description is the comment that begins with `# --`.
func description(key *yaml.Node) (string, bool) {
	_, text, ok := strings.Cut("\n"+key.HeadComment, "\n# -- ")
	return strings.ReplaceAll(text, "\n# ", " "), ok
}

func uncomment(value *yaml.Node) {
	value.HeadComment, value.FootComment, value.LineComment = "", "", ""
	for _, v := range value.Content {
		uncomment(v)
	}
}
