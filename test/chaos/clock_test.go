package chaos

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Containers on one machine share its clock, and nothing outside a static binary can change what it reads. So the workers of one
// node are compiled with a standard library that adds an hour to the kernel's time.
const (
	wrongRepository = "workqueue-worker"
	wrongTag        = "chaos-clock"
	ahead           = time.Hour
)

func withWrongClock(*cluster) map[string]string {
	return map[string]string{
		"image":            `{"repository": "` + wrongRepository + `", "tag": "` + wrongTag + `", "pullPolicy": "Never"}`,
		"worker.logFormat": `"json"`,
	}
}

// makeWrongClock gives both nodes an image of the same name; the second node's has the wrong clock.
func makeWrongClock(r *run) {
	r.Helper()
	image := wrongRepository + ":" + wrongTag
	dir := r.TempDir()
	binary := filepath.Join(dir, "bin", "worker")
	compile := func(args ...string) {
		args = append([]string{"CGO_ENABLED=0", "go", "build", "-C", root, "-trimpath", "-ldflags", "-s -w", "-o", binary}, args...)
		command(r.T, "env", append(args, "./worker")...)
		write(r, filepath.Join(dir, "Dockerfile"), "FROM scratch\nCOPY bin/worker /worker\nUSER 65532:65532\nENTRYPOINT [\"/worker\"]\n")
		command(r.T, "docker", "build", "--quiet", "-t", image, dir)
	}
	load := func(n node) {
		command(r.T, filepath.Join(root, "bin", "kind", "kind"), "load", "docker-image", image, "--name", r.cluster.name, "--nodes", string(n))
	}
	compile()
	load(r.workers[0])
	compile("-overlay", overlay(r, dir))
	load(r.workers[1])
}

// overlay is a change of the standard library, for go build -overlay.
func overlay(r *run, dir string) string {
	source := filepath.Join(strings.TrimSpace(command(r.T, "go", "env", "GOROOT")), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		r.Fatal(err)
	}
	now := regexp.MustCompile(`(?s)(\nfunc Now\(\) Time \{\n\t(?:if [^}]*\}\n\t)?sec, nsec, mono := \w+\(\)\n)`)
	if !now.Match(text) {
		r.Fatalf("%s: func Now looks different from what this test knows", source)
	}
	changed := filepath.Join(dir, "time.go")
	write(r, changed, now.ReplaceAllString(string(text), "${1}\tsec += 3600\n"))
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {source: changed}})
	if err != nil {
		r.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	write(r, file, string(replace))
	return file
}

func write(r *run, file, text string) {
	r.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

// seeWrongClock checks that one node's logs are from the future, then kills a worker on each node so that leases expire.
func seeWrongClock(r *run) int {
	r.reach(20)
	for i, wrong := range []time.Duration{0, ahead} {
		pod := r.running(1, r.workers[i])[0]
		var line struct{ Time time.Time }
		first, _, _ := strings.Cut(r.Must("logs", pod, "-c", "worker", "--limit-bytes=2000"), "\n")
		if err := json.Unmarshal([]byte(first), &line); err != nil {
			r.Fatalf("the first line of the log of %s: %v: %s", pod, err, first)
		}
		if off := time.Until(line.Time) - wrong; off.Abs() > 5*time.Minute {
			r.Errorf("the clock of %s is ahead by %v in place of %v", pod, time.Until(line.Time), wrong)
		}
	}
	r.reach(40)
	for _, n := range r.workers {
		n.kill(r.T, "-o", "^/workqueue/worker work")
	}
	return 1
}
