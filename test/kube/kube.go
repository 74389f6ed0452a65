// Package kube is what tests on a cluster have in common: a namespace that ends with its test, kubectl in it, and waiting.
package kube

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

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

// Eventually waits for something to come true, and else fails the test with what it found instead.
func Eventually(t *testing.T, within time.Duration, what string, is func() bool, found func() string) {
	t.Helper()
	for deadline := time.Now().Add(within); !is(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v until %s; %s", within, what, found())
		}
	}
}
