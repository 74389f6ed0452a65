package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/workqueue/workqueue/test/apis"
)

// repository is the root of it, where workflows run.
const repository = "../.."

// workflow is a file of GitHub's, as far as the tests read it.
type workflow struct {
	Jobs map[string]struct {
		Uses, Needs string
		Permissions map[string]string
		Strategy    struct{ Matrix map[string][]string }
		Steps       []struct{ ID, Name, Uses, Run string }
	}
}

func readWorkflow(t *testing.T, name string) (w workflow) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, ".github/workflows", name))
	if err == nil {
		err = yaml.Unmarshal(text, &w)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return w
}

// Nothing is released that the tests have not passed, and what is released says where it comes from.
func TestAReleaseIsGatedAndAttested(t *testing.T) {
	t.Parallel()
	release := readWorkflow(t, "release.yaml").Jobs
	gate := release[release["release"].Needs].Uses
	if gate != "./.github/workflows/test.yaml" {
		t.Fatalf("the release needs %q, which runs %q, not the tests", release["release"].Needs, gate)
	}
	steps := func(w workflow, job string) (all string) {
		for _, step := range w.Jobs[job].Steps {
			all += step.Uses + "\n" + step.Run + "\n"
		}
		return all
	}
	if got := steps(readWorkflow(t, filepath.Base(gate)), "test"); !strings.Contains(got, "make test\n") {
		t.Errorf("the gate does not run make test:\n%s", got)
	}
	got := steps(readWorkflow(t, "release.yaml"), "release")
	for _, want := range []string{"cosign sign", "oras push", "gh release create", `helm push "workqueue-`} {
		if !strings.Contains(got, want) {
			t.Errorf("the release lacks %q:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "actions/attest-build-provenance@"); n != 2 {
		t.Errorf("the release has %d attestations, want those of the image and of the chart", n)
	}
}

// A tag can be moved; what runs with our rights is named by its commit.
func TestActionsArePinned(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(repository + "/.github/workflows/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("found %q (%v)", files, err)
	}
	uses := regexp.MustCompile(`(?m)^.*\buses: *(.*)$`)
	pinned := regexp.MustCompile(`^[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := uses.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s uses no actions that this test finds", file)
		}
		for _, found := range found {
			if !strings.HasPrefix(found[1], "./") && !pinned.MatchString(found[1]) {
				t.Errorf("%s: %s is not pinned to a commit, with its version as a comment", file, found[1])
			}
		}
	}
}

// The clusters of CI are of the oldest and the newest Kubernetes that the examples are validated against, and of some between.
func TestTheClustersOfTheWorkflow(t *testing.T) {
	t.Parallel()
	minor := func(version string) string { return regexp.MustCompile(`1\.\d+`).FindString(version) }
	var clusters []string
	for _, node := range readWorkflow(t, "test.yaml").Jobs["e2e"].Strategy.Matrix["node"] {
		clusters = append(clusters, minor(node))
	}
	if oldest, newest := minor(apis.Versions[0]), minor(apis.Newest()); len(clusters) < 3 || clusters[0] != oldest || clusters[len(clusters)-1] != newest {
		t.Errorf("the clusters are of Kubernetes %v, want %s, some more, and %s", clusters, oldest, newest)
	}
}

// The workflow's own commands take the notes of a release from the changelog, and refuse a tag that is not the chart's version.
func TestTheNotesOfARelease(t *testing.T) {
	t.Parallel()
	steps := readWorkflow(t, "release.yaml").Jobs["release"].Steps
	script := steps[slices.IndexFunc(steps, func(step struct{ ID, Name, Uses, Run string }) bool { return step.ID == "version" })].Run
	run := func(tag string) (notes string, err error) {
		dir := t.TempDir()
		for path, text := range map[string]string{
			"charts/workqueue/Chart.yaml": "",
			"CHANGELOG.md":                "# Changelog\n\n## 9.9.9\n\nNot this.\n\n## " + chartYAML(t).Version + "\n\nThis.\n\n## 0.0.1\n\nNor this.\n",
		} {
			if text == "" {
				original, err := os.ReadFile(filepath.Join(repository, path))
				if err != nil {
					t.Fatal(err)
				}
				text = string(original)
			}
			path = filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", script)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GITHUB_REF_NAME="+tag, "GITHUB_OUTPUT="+filepath.Join(dir, "output"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Logf("%s: %v\n%s", tag, err, out)
			return "", err
		}
		text, err := os.ReadFile(filepath.Join(dir, "notes.md"))
		return strings.TrimSpace(string(text)), err
	}
	if notes, err := run("v" + chartYAML(t).Version); err != nil || notes != "This." {
		t.Errorf("the notes are %q (%v)", notes, err)
	}
	if changelog, err := os.ReadFile(filepath.Join(repository, "CHANGELOG.md")); err != nil || !strings.Contains(string(changelog), "\n## "+chartYAML(t).Version+"\n") {
		t.Errorf("CHANGELOG.md has nothing on the chart's version (%v)", err)
	}
	if notes, err := run("v9.9.9"); err == nil {
		t.Errorf("a tag that is not the chart's version is released, with the notes %q", notes)
	}
}

// Dependabot looks after each module and the actions.
func TestDependabotSeesEachModule(t *testing.T) {
	t.Parallel()
	var config struct {
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directories []string
		}
	}
	text, err := os.ReadFile(filepath.Join(repository, ".github/dependabot.yml"))
	if err == nil {
		err = yaml.Unmarshal(text, &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	modules, err := exec.CommandContext(t.Context(), "git", "-C", repository, "ls-files", "go.mod", "*/go.mod").Output()
	if err != nil {
		t.Fatal(err)
	}
	for module := range strings.Lines(string(modules)) {
		dir := filepath.Clean("/" + filepath.Dir(strings.TrimSpace(module)))
		seen := slices.ContainsFunc(config.Updates[0].Directories, func(pattern string) bool {
			ok, err := filepath.Match(pattern, dir)
			return ok && err == nil
		})
		if !seen {
			t.Errorf("dependabot.yml does not name the module in %s", dir)
		}
	}
	if len(config.Updates) != 2 || config.Updates[0].Ecosystem != "gomod" || config.Updates[1].Ecosystem != "github-actions" {
		t.Errorf("the updates are %v, want those of Go modules and of actions", config.Updates)
	}
}

// A registry shows what an image is by its labels.
func TestTheImageSaysWhereItComesFrom(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{"title", "description", `source="https://github.com/workqueue/workqueue"`, "documentation", `licenses="Apache-2.0"`} {
		if !strings.Contains(string(text), "org.opencontainers.image."+label) {
			t.Errorf("the Dockerfile lacks the label %s", label)
		}
	}
	if !strings.Contains(string(text), "COPY LICENSE THIRD_PARTY_LICENSES /") {
		t.Error("the image lacks the licences")
	}
}
