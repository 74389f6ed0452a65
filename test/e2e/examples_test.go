package e2e

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"github.com/workqueue/workqueue/test/kube"
)

// around is what happens around an example besides its run.
type around struct {
	kubectl [][]string                     // the commands in its first lines that a person runs before the install
	before  func(*space) map[string]string // creates what the example expects to exist; returns values that it needs here
	during  func(*space)
	endless bool         // helm test has no end to wait for
	after   func(*space) // when the release is gone
}

var arounds = map[string]around{
	"crawler":              {before: site},
	"external-redis":       {before: sharedRedis, after: onlyOthers},
	"items-from-configmap": {kubectl: [][]string{{"create", "configmap", "towns", "--from-literal=towns.txt=Berlin\nParis\nBerlin\n"}}},
	"items-from-volume":    {before: scans},
	"keda":                 {before: withoutKEDA, during: deliverMail, endless: true},
	"kueue":                {before: withoutKueue, during: admit},
	"monitor":              {kubectl: [][]string{{"create", "secret", "generic", "monitor", "--from-literal=token=0123456789abcdef"}}},
	"persistent-redis": {
		kubectl: [][]string{{"create", "secret", "generic", "nightly-redis", "--from-literal=password=open sesame"}},
		before: func(s *space) map[string]string {
			s.volume("data-run-redis-0")
			return map[string]string{"worker.image": program(s.T), "worker.command": `["sh", "-c", "sleep 2"]`}
		},
		during: killRedis,
	},
	"schedule": {during: func(s *space) { s.fire("now") }},
}

// brief is for an example that says nothing of the cluster: the fewest pods, and no long wait, that show that the cluster runs its seeding
// and its program. Its test and its monitor are those of every release, and make test-try runs the whole of it.
var brief = map[string]string{"worker.parallelism": "1", "worker.concurrency": "4", "monitor.enabled": "false"}

// TestExamples runs each example to its end, as a person would: by turns with Helm 3 and Helm 4, or all with the one that WQ_TEST_HELM
// names (make test-e2e WQ_TEST_HELM=helm3).
func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(root + "/values-examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	name := func(file string) string { return strings.TrimSuffix(filepath.Base(file), ".yaml") }
	rank := func(file string) int { // those that take long begin first
		if _, special := arounds[name(file)]; special {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(files, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	for i, file := range files {
		name := name(file)
		if name == "fruits" {
			continue // TestFruits runs it with each Helm
		}
		major := cmp.Or(os.Getenv("WQ_TEST_HELM"), []string{"helm3", "helm4"}[i%2])
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSpace(t, name)
			s.major = major
			t.Logf("with %s", major)
			around, special := arounds[name]
			if !special {
				single := images(t, file)
				maps.Copy(single, brief)
				s.install([]string{file}, single)
				s.done()
				return
			}
			for _, args := range around.kubectl {
				s.Must(args...)
			}
			single := images(t, file)
			if around.before != nil {
				maps.Copy(single, around.before(s))
			}
			if around.kubectl != nil || around.before != nil {
				s.keep()
			}
			s.install([]string{file}, single)
			if around.during != nil {
				around.during(s)
			}
			if !around.endless {
				s.complete()
			}
			s.uninstall()
			if around.after != nil {
				around.after(s)
			}
		})
	}
}

// site is three pages that link to each other.
func site(s *space) map[string]string {
	image := os.Getenv("WQ_TEST_PYTHON_IMAGE")
	s.Apply(fmt.Sprintf(`
apiVersion: v1
kind: ConfigMap
metadata: {name: pages}
data: {index.html: '<a href="a.html">a</a>', a.html: '<a href="/b.html#top">b</a>', b.html: '<a href="/">home</a> <a href="a.html">a</a>'}
---
apiVersion: v1
kind: Service
metadata: {name: site}
spec: {selector: {app: site}, ports: [{port: 8000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: site, labels: {app: site}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: site
      image: %s
      command: [python3, -m, http.server, --directory, /pages]
      readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: pages, mountPath: /pages}]
  volumes: [{name: pages, configMap: {name: pages}}]
`, image))
	s.Must("wait", "--for=condition=Ready", timeout, "pod/site")
	return map[string]string{"items": `["http://site:8000/"]`}
}

// scans makes a volume with files on it, and a list of them.
func scans(s *space) map[string]string {
	s.volume("scans")
	s.Apply(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: scans}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
`)
	s.pod("scanner", corev1.Container{
		Image: kube.ProgramImage(s.T),
		Command: []string{"sh", "-c",
			"mkdir /scans/2026; cd /scans/2026; for i in 1 2 3 4 5 6 7 8 9; do echo $i >$PWD/$i.tif; echo $PWD/$i.tif >>list.txt; done"},
		VolumeMounts: []corev1.VolumeMount{{Name: "scans", MountPath: "/scans"}},
	}, corev1.Volume{Name: "scans", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "scans"},
	}})
	s.Must("wait", "--for=jsonpath={.status.phase}=Succeeded", timeout, "pod/scanner")
	return nil
}

// killRedis deletes the pod of Redis as soon as workers have leased items. Most of the hundred then still wait, however slow kubectl is.
func killRedis(s *space) {
	before := s.redisPod()
	eventually(s.T, "the workers have begun", func() bool {
		waiting, err := strconv.Atoi(s.waiting())
		return err == nil && waiting < 100
	}, s.waiting)
	s.Must("delete", "pod", "run-redis-0", "--force", "--grace-period=0")
	s.Must("wait", "--for=create", timeout, "pod/run-redis-0")
	s.Must("wait", "--for=condition=Ready", timeout, "pod/run-redis-0")
	if after := s.redisPod(); after == before {
		s.Errorf("Redis is still the pod %s", before)
	}
	if waiting := s.waiting(); waiting == "0" {
		s.Error("no item was waiting when Redis came back, so this test has shown nothing")
	}
}

// withoutKEDA has KEDA's kinds but no KEDA: the test scales.
func withoutKEDA(s *space) map[string]string {
	makeCustomKinds(s)
	s.volume("data-run-redis-0")
	return map[string]string{
		"worker.command":                       `["sh", "-c", "echo delivering $0; [ $0 != slow ] || sleep 600; echo delivered $0"]`,
		"worker.terminationGracePeriodSeconds": "10",
	}
}

// deliverMail is work without an end: more pods, items that come later, all of them done, and the workers stay. Then no pod is
// left, and what KEDA asks for still counts the item that the last one returned.
func deliverMail(s *space) {
	s.Must("get", "scaledobject", "run-worker")
	s.Must("scale", "deployment", "run-worker", "--replicas=2")
	s.Must("rollout", "status", "deployment", "run-worker", timeout)
	waiting := func() string { return s.Must("exec", "run-redis-0", "--", "redis-cli", "llen", "mail") }
	send := func(letter, log string) {
		s.Must("exec", "run-redis-0", "--", "redis-cli", "rpush", "mail", letter)
		eventually(s.T, "a worker logs "+log+" "+letter, func() bool {
			return strings.Contains(s.Must("logs", "-l", "app.kubernetes.io/component=worker", "--tail=-1"), log+" "+letter)
		}, func() string { return waiting() + " letters are waiting" })
	}
	send("letter-1", "delivered")
	send("letter-2", "delivered")
	if ready := s.Must("get", "deployment", "run-worker", "-o", "jsonpath={.status.readyReplicas}"); ready != "2" {
		s.Errorf("of two workers that wait for more, %q are ready", ready)
	}

	send("slow", "delivering")
	s.Must("scale", "deployment", "run-worker", "--replicas=0")
	s.Must("wait", "--for=delete", "pod", "-l", "app.kubernetes.io/component=worker", timeout)
	if n := waiting(); n != "0" {
		s.Errorf("%s letters are in the list, want 0: the returned one is elsewhere, or this shows nothing", n)
	}
	query, err := url.Parse(s.Must("get", "scaledobject", "run-worker", "-o", "jsonpath={.spec.triggers[0].metadata.url}"))
	if err != nil {
		s.Fatal(err)
	}
	service, _, _ := strings.Cut(query.Hostname(), ".")
	counts := s.Must("get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/services/%s:%s/proxy%s", s.Kubectl.Namespace, service, query.Port(), query.Path))
	kube.WantText(s.T, counts, `"open":1,`)
}

// withoutKueue is a cluster with one small node, none of them special.
func withoutKueue(*space) map[string]string {
	return map[string]string{
		"redis.nodeSelector":       `{}`,
		"worker.suspend":           "true", // as Kueue does
		"worker.priorityClassName": `""`,
		"worker.parallelism":       "2",
		"worker.resources":         `{"requests": {"cpu": "10m", "memory": "16Mi"}}`,
	}
}

// admit does what Kueue does to a Job when there is room for it.
func admit(s *space) {
	if job := s.job(); job.Labels["kueue.x-k8s.io/queue-name"] != "batch" || len(s.workers()) != 0 {
		s.Errorf("the Job has the labels %v and %d pods, though it is suspended", job.Labels, len(s.workers()))
	}
	s.Must("patch", "job", s.job().Name, "--type=merge", "-p", `{"spec": {"suspend": false}}`)
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
