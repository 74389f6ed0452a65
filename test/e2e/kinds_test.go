package e2e

import (
	"os/exec"
	"sync"

	"github.com/workqueue/workqueue/test/apis"
)

// customKinds are the kinds that the chart makes and Kubernetes does not have. The first test that needs them teaches them to
// the cluster, which forgets them after the last test: one that has run while they came or went could trip over that.
var customKinds struct {
	once  sync.Once
	files []string // arguments of kubectl
}

func makeCustomKinds(s *space) {
	s.Helper()
	customKinds.once.Do(func() {
		for _, file := range apis.CustomResourceDefinitions(s) {
			customKinds.files = append(customKinds.files, "--filename", file)
		}
		s.Must(append([]string{"apply", "--server-side", "--force-conflicts"}, customKinds.files...)...)
		s.Must(append([]string{"wait", "--for=condition=Established", timeout}, customKinds.files...)...)
	})
}

func removeCustomKinds() {
	if len(customKinds.files) > 0 {
		_ = exec.Command("kubectl", append([]string{"delete", "--wait=false", "--ignore-not-found"}, customKinds.files...)...).Run()
	}
}
