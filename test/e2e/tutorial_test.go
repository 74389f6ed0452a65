package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/workqueue/workqueue/test/kube"
)

// TestTutorialCommands runs the commands of docs/tutorial.md for a list and a program of one's own, as they stand there: from a list
// on the disk to results on the disk, with a failed item that is repaired before the results are read.
func TestTutorialCommands(t *testing.T) {
	t.Parallel()
	s := newSpace(t, "commands")
	text, err := os.ReadFile(filepath.Join(root, "docs/tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	own, repair := section(t, string(text), "## Your program, your list"), section(t, string(text), "## Repair what failed")
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// What differs here: the images that the cluster has, and a program that fails for one item until it is mended.
	var mine map[string]any
	if err := yaml.Unmarshal([]byte(fenced(t, own, "```yaml\n")), &mine); err != nil {
		t.Fatal(err)
	}
	delete(mine, "image")
	worker := mine["worker"].(map[string]any)
	worker["image"], worker["backoff"] = kube.ProgramImage(t), map[string]any{"initial": "100ms"}
	worker["command"] = []string{"sh", "-c", `case "$1" in *2.png) exit 3;; esac; echo "sum of $1"`, "sh", "{}"}
	values, err := yaml.Marshal(mine)
	if err != nil {
		t.Fatal(err)
	}
	write("mine.yaml", string(values))
	write("list.txt", fenced(t, own, "```\n"))
	chart, err := filepath.Abs(chart)
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	write("kubeconfig", string(config))
	adapt := strings.NewReplacer("-f mine.yaml", "-f mine.yaml -f "+kube.ValuesFile(), "charts/workqueue", chart,
		"--set worker.image=registry.example.org/you/program:2", `--set-json 'worker.command=["echo", "mended sum of"]'`)
	run := func(command string) (string, error) {
		shell := exec.CommandContext(t.Context(), "sh", "-ec", adapt.Replace(command))
		shell.Dir, shell.Env = dir, append(os.Environ(), "KUBECONFIG="+filepath.Join(dir, "kubeconfig"))
		out, err := shell.CombinedOutput()
		return string(out), err
	}
	must := func(command, want string) {
		t.Helper()
		if out, err := run(command); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		} else if !strings.Contains(out, want) {
			t.Errorf("%s does not print %q but\n%s", command, want, out)
		}
	}
	must("kubectl config set-context --current --namespace="+s.Kubectl.Namespace, "modified")

	install, test, results := 0, 1, 2
	commands := indented(own[strings.Index(own, "Three commands"):])[:3]
	must(commands[install], "STATUS: deployed")
	if out, err := run(commands[test]); err == nil || !strings.Contains(out, "FAILED: 1 of 2 items") {
		t.Errorf("helm test does not report the dead item (%v):\n%s", err, out)
	}
	for i, want := range []string{"1 dead item is back in the queue", "has been upgraded", "OK: all 2 items are done"} {
		must(indented(repair)[i], want)
	}
	must(commands[results], "")
	got, err := os.ReadFile(filepath.Join(dir, "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	kube.WantText(t, string(got), `"output":"sum of https://example.org/1.png\n"`, `"output":"mended sum of https://example.org/2.png\n"`)
	must("helm uninstall mine", "uninstalled")
}

// section returns the part of a page from a heading to the next.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, heading+"\n")
	if !found {
		t.Fatalf("the page has no heading %q", heading)
	}
	part, _, _ := strings.Cut(rest, "\n## ")
	return part
}

// fenced returns the first block of a section that begins with such a fence.
func fenced(t *testing.T, section, fence string) string {
	t.Helper()
	_, rest, found := strings.Cut("\n"+section, "\n"+fence)
	block, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatalf("no block %q in\n%s", fence, section)
	}
	return block
}

// indented returns the commands of a section.
func indented(section string) (commands []string) {
	for line := range strings.Lines(section) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands
}
