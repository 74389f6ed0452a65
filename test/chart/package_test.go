package chart

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/workqueue/workqueue/test/apis"
)

// Chart.yaml names the oldest Kubernetes that the examples are validated against.
func TestTheOldestKubernetesIsValidated(t *testing.T) {
	t.Parallel()
	major, minor, _ := strings.Cut(strings.TrimPrefix(apis.Versions[0], "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	if got, want := chartYAML(t).KubeVersion, ">="+major+"."+minor+".0-0"; got != want {
		t.Errorf("kubeVersion in Chart.yaml is %q, and the oldest of apis.Versions %q", got, want)
	}
}

// Artifact Hub scans the images that the annotation names, so they have to be those that the chart uses.
func TestTheAnnotationNamesTheImages(t *testing.T) {
	t.Parallel()
	var named []struct{ Image string }
	if err := yaml.Unmarshal([]byte(chartYAML(t).Annotations["artifacthub.io/images"]), &named); err != nil {
		t.Fatal(err)
	}
	var annotated, used []string
	for _, image := range named {
		annotated = append(annotated, image.Image)
	}
	for _, o := range (release{values: "items: [apple]"}).objects(t) {
		if pod := pod(o); pod != nil {
			for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
				used = append(used, container.Image)
			}
		}
	}
	slices.Sort(annotated)
	slices.Sort(used)
	if used = slices.Compact(used); !slices.Equal(annotated, used) {
		t.Errorf("artifacthub.io/images in Chart.yaml names %q, and the chart uses %q", annotated, used)
	}
}

func packedFiles(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
	}
}

type chartFile struct {
	Version     string
	KubeVersion string `yaml:"kubeVersion"`
	Annotations map[string]string
}

func chartYAML(t *testing.T) (file chartFile) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chartDir, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file
}
