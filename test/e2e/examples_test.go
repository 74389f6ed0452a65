package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/gruntwork-io/terratest/modules/k8s"
)

// prerequisites are what an example's first lines tell a person to create before.
var prerequisites = map[string][][]string{
	"items-from-configmap": {{"create", "configmap", "towns", "--from-literal=towns.txt=Berlin\nParis\nBerlin\n"}},
	"monitor":              {{"create", "secret", "generic", "monitor", "--from-literal=token=0123456789abcdef"}},
}

// elsewhere are the examples that need what a cluster for tests lacks; the tests of the chart render and validate them.
var elsewhere = map[string]string{
	"items-from-volume": "it takes a volume with a list on it, and fetches from the Internet",
	"persistent-redis":  "it takes a storage class that gives volumes to users other than root",
	"external-redis":    "it takes a Redis outside of the release, with TLS",
	"keda":              "it takes KEDA",
	"kueue":             "it takes Kueue, a priority class and labelled nodes",
}

// TestExamples runs each example to its end, as a person would.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(root + "/values-examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			if why := elsewhere[name]; why != "" {
				t.Skip(why)
			}
			t.Parallel()
			s := newSpace(t, name)
			kubectl := func(args ...string) {
				if out, err := k8s.RunKubectlAndGetOutputContextE(s.T, s.Context(), s.kubectl, args...); err != nil {
					t.Fatalf("kubectl %v: %v\n%s", args, err, out)
				}
			}
			for _, args := range prerequisites[name] {
				kubectl(args...)
			}
			s.install([]string{file}, images(t, file))
			if end := s.waitForJob(); end.Type != batchv1.JobComplete {
				t.Fatalf("the worker Job is %s: %s %s", end.Type, end.Reason, end.Message)
			}
			report, err := s.verify()
			if err != nil {
				t.Fatalf("helm test: %v\n%s", err, report)
			}
			wantText(t, report, "OK: ")
			for _, args := range prerequisites[name] {
				kubectl("delete", args[1], args[len(args)-2])
			}
			s.uninstall()
		})
	}
}

// images replaces the public images of an example by those that the cluster has, where it cannot pull.
func images(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Worker    struct{ Image string }
		ItemsFrom struct{ Image string } `yaml:"itemsFrom"`
	}
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	replaced := map[string]string{}
	for key, image := range map[string]string{"worker.image": values.Worker.Image, "itemsFrom.image": values.ItemsFrom.Image} {
		variable := "WQ_TEST_PROGRAM_IMAGE"
		switch {
		case image == "":
			continue
		case strings.Contains(image, "python"):
			variable = "WQ_TEST_PYTHON_IMAGE"
		}
		if instead := os.Getenv(variable); instead != "" {
			replaced[key] = fmt.Sprintf("%q", instead)
		}
	}
	return replaced
}
