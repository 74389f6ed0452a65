package chart

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the table of values into the chart's README")

// The table is made of values.yaml and its comments. After a change there:
//
//	cd test && go test ./chart -run TestTheTableOfValues -update
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
		t.Errorf("the table of values in %s is stale: cd test && go test ./chart -run %s -update", path, t.Name())
	}
}

// rows writes a row for each value that has a comment of its own.
func rows(t *testing.T, table *strings.Builder, path string, values *yaml.Node) {
	t.Helper()
	for i := 0; i < len(values.Content); i += 2 {
		key, value := values.Content[i], values.Content[i+1]
		name := strings.TrimPrefix(path+"."+key.Value, ".")
		_, comment, described := strings.Cut("\n"+key.HeadComment, "\n# -- ")
		if !described {
			rows(t, table, name, value)
			continue
		}
		value.HeadComment, value.FootComment, value.LineComment = "", "", ""
		value.Style = yaml.FlowStyle
		for _, v := range value.Content {
			v.HeadComment, v.FootComment, v.LineComment = "", "", ""
		}
		shown, err := yaml.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("\n# ", " ", "|", `\|`).Replace(comment)
		fmt.Fprintf(table, "| `%s` | `%s` | %s |\n", name, strings.TrimSpace(string(shown)), text)
	}
}
