// Package kube is what tests on a cluster have in common: a namespace that ends with its test, kubectl in it, and waiting.
package kube

import (
	"flag"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/workqueue/workqueue/test/built"
)

// Main runs the tests of a package with the tools that make has built, so many side by side: they wait for the cluster more than they keep it
// busy. The flag -parallel overrides that. Main returns the exit code.
func Main(m *testing.M, parallel string) int {
	if os.Getenv("KUBECONFIG") == "" {
		log.Fatal("KUBECONFIG names no cluster: run these tests with make")
	}
	path, err := built.Path("helm4")
	if err == nil {
		err = os.Setenv("PATH", path)
	}
	if err == nil {
		err = flag.Set("test.parallel", parallel)
	}
	if err != nil {
		log.Fatal(err)
	}
	return m.Run()
}

// ValuesFile has the chart values that the cluster needs. test/kind/up leaves it beside its kubeconfig.
func ValuesFile() string { return filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), "values.yaml") }

// ProgramImage is an image that is not the project's own, with a shell in it.
func ProgramImage(t *testing.T) string {
	t.Helper()
	image := os.Getenv("WQ_TEST_PROGRAM_IMAGE")
	if image == "" {
		t.Fatal("WQ_TEST_PROGRAM_IMAGE names no image: run these tests with make")
	}
	return image
}

// End is the condition with which a Job has ended, Complete or Failed, and nil before.
func End(job *batchv1.Job) *batchv1.JobCondition {
	for _, condition := range job.Status.Conditions {
		if condition.Status == corev1.ConditionTrue &&
			(condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) {
			return &condition
		}
	}
	return nil
}

// Eventually waits for something to come true, and else fails the test with what it found instead. What is costly to find out it asks less
// often, and leaves the processor to others.
func Eventually(t *testing.T, within time.Duration, what string, is func() bool, found func() string) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		start := time.Now()
		if is() {
			return
		}
		if start.After(deadline) {
			t.Fatalf("waited %v until %s; %s", within, what, found())
		}
		time.Sleep(max(250*time.Millisecond, 4*time.Since(start)))
	}
}

// WantText fails the test for each text that is not in another one.
func WantText(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}
