package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// TestIndexed loses all pods of an indexed worker Job several times over, suspends and resumes the Job as Kueue does, scales it up
// and down, and lets it complete.
func TestIndexed(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "indexed")
	run := map[string]string{
		"itemsFrom.range":    `{"start": 1, "end": 900}`, // more than a slow machine can finish before the command changes
		"worker.indexed":     "true",
		"worker.image":       program(t),
		"worker.command":     `["sh", "-c", "sleep 1"]`,
		"worker.parallelism": "2",
		"worker.lease":       `"5s"`,
		"monitor.enabled":    "false",
	}
	s.install(nil, run)
	s.running(2)
	// A plain Job would replace the third pair after minutes.
	for loss := range 3 {
		lost := time.Now()
		s.Must("delete", "pod", "-l", "app.kubernetes.io/component=worker", "--wait=false")
		s.running(2)
		if took := time.Since(lost); took > 3*time.Minute {
			t.Errorf("loss %d: the pods were replaced after %v: does Kubernetes delay new pods?", loss+1, took)
		}
	}
	for _, suspended := range []bool{true, false} {
		s.Must("patch", s.Must("get", "job", "-l", "app.kubernetes.io/component=worker", "-o", "name"), "-p", fmt.Sprintf(`{"spec": {"suspend": %t}}`, suspended))
		s.running(map[bool]int{true: 0, false: 2}[suspended])
	}
	for _, parallelism := range []int{3, 1} {
		run["worker.parallelism"] = strconv.Itoa(parallelism)
		if err := s.deliver("upgrade", nil, run); err != nil {
			t.Fatalf("helm upgrade to parallelism %d: %v", parallelism, err)
		}
		s.running(parallelism)
	}
	run["worker.command"] = `["true"]`
	if err := s.deliver("upgrade", nil, run); err != nil {
		t.Fatalf("helm upgrade to another command: %v", err)
	}
	s.complete("done       900")
	s.uninstall()
}

// TestIndexedNamespace deletes a namespace in the middle of an indexed run, with pods that run and pods that cannot start.
func TestIndexedNamespace(t *testing.T) {
	t.Parallel()
	for name, image := range map[string]string{"running": program(t), "pending": `"example.org/no/such:image"`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSpace(t, "indexed-"+name)
			s.install(nil, map[string]string{
				"itemsFrom.range":                      `{"start": 1, "end": 500}`,
				"worker.indexed":                       "true",
				"worker.image":                         image,
				"worker.command":                       `["sh", "-c", "sleep 1"]`,
				"worker.terminationGracePeriodSeconds": "10",
				"monitor.enabled":                      "false",
			})
			eventually(t, "there are two worker pods", func() bool { return len(s.workers()) == 2 }, func() string { return fmt.Sprint(s.phases()) })
			if name == "running" {
				s.running(2)
				s.Must("delete", "pod", "-l", "app.kubernetes.io/component=worker", "--wait=false")
			}
			s.Must("delete", "namespace", s.Kubectl.Namespace, timeout)
		})
	}
}

// running waits until so many worker pods run and no other is about to.
func (s *space) running(pods int) {
	s.Helper()
	eventually(s.T, fmt.Sprintf("%d worker pods run", pods), func() bool {
		phases := s.phases()
		return len(phases) == pods && !slices.ContainsFunc(phases, func(phase corev1.PodPhase) bool { return phase != corev1.PodRunning })
	}, func() string { return fmt.Sprint(s.phases()) })
}

// phases are those of the worker pods that have not ended, nor been told to.
func (s *space) phases() (phases []corev1.PodPhase) {
	for _, pod := range s.workers() {
		if phase := pod.Status.Phase; pod.DeletionTimestamp == nil && phase != corev1.PodSucceeded && phase != corev1.PodFailed {
			phases = append(phases, phase)
		}
	}
	return phases
}
