package e2e

import (
	"regexp"
	"testing"

	"github.com/workqueue/workqueue/test/kube"
)

// TestImageVolume runs programs beside a worker that comes to them in a volume made of its image, where the cluster can make one.
func TestImageVolume(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "image-volume")
	s.hasImageVolumes()
	app := &application{space: s}
	// The chart wants the Kubernetes that has them by default; an older one has them behind a feature gate.
	app.sync(map[string]string{
		"worker.inject":     `"image"`,
		"worker.image":      program(t),
		"worker.command":    `["sh", "-c", "ls /workqueue; touch /workqueue/mine; echo $0 by user $(id -u)"]`,
		"itemsFrom.command": `["sh", "-c", "seq 3"]`,
	}, "--kube-version", "1.35")
	app.complete("OK: all 12 items are done")
	kube.WantText(t, s.logs(), "THIRD_PARTY_LICENSES", "/workqueue/mine: Read-only file system", "apple by user 65532", "3 by user 65532")
	for _, pod := range s.workers() {
		if n := len(pod.Spec.InitContainers); n != 0 {
			t.Errorf("%s has %d init containers", pod.Name, n)
		}
	}
}

var oldContainerd = regexp.MustCompile(`containerd://(1|2\.0)\.`)

// hasImageVolumes skips the test where a node or the API server does not know them.
func (s *space) hasImageVolumes() {
	s.Helper()
	runtimes := s.Must("get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.containerRuntimeVersion}")
	if oldContainerd.MatchString(runtimes) {
		s.Skipf("the nodes run %s, and containerd makes volumes of images from 2.1 on", runtimes)
	}
	kept, err := s.Pipe("apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: {restartPolicy: Never, "+
		"containers: [{name: a, image: b}], volumes: [{name: c, image: {reference: d}}]}}}",
		"create", "--dry-run=server", "-o", "jsonpath={.spec.template.spec.volumes[0].image}", "-f", "-")
	if err != nil {
		s.Fatal(err)
	}
	if kept == "" {
		s.Skip("this Kubernetes has its feature gate ImageVolume off, as any before 1.35 by default")
	}
}
