package chart

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/workqueue/workqueue/worker/config"
)

// TestEveryVariableHasAValue: each variable of the worker is in a template, and is set by values that exist; or the worker says why not.
func TestEveryVariableHasAValue(t *testing.T) {
	var templates strings.Builder
	err := filepath.WalkDir(filepath.Join(chartDir, "templates"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		templates.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	for _, s := range config.All() {
		if s.Internal != "" {
			continue
		}
		if len(s.Values) == 0 {
			t.Errorf("%s: no value of the chart sets it, and worker/config does not say why (tag internal)", s.Name)
		}
		if !strings.Contains(templates.String(), `"`+s.Name+`"`) {
			t.Errorf("%s: no template sets it", s.Name)
		}
		for _, path := range s.Values {
			var at any = values
			for part := range strings.SplitSeq(path, ".") {
				within, _ := at.(map[string]any)
				next, found := within[part]
				if !found {
					t.Errorf("%s: values.yaml has no %s (worker/config says so)", s.Name, path)
					break
				}
				at = next
			}
		}
	}
}
