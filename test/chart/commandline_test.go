package chart

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/gruntwork-io/terratest/modules/logger"

	"github.com/workqueue/workqueue/test/built"
)

// What people do with the chart on Helm's command line, with Helm 3 and Helm 4. Everything else is tested in this process.

// eachHelm runs a test with Helm 3 and then with Helm 4 as the helm on the PATH, where terratest finds it. Such a test cannot run
// in parallel with others.
func eachHelm(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	for _, major := range []string{"helm3", "helm4"} {
		t.Run(major, func(t *testing.T) {
			useHelm(t, major)
			test(t)
		})
	}
}

func useHelm(t *testing.T, major string) {
	t.Helper()
	path, err := built.Path(major)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", path)
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
}

// together runs f for each of all, as many at a time as there are processors. f must not end the test.
func together[T any](all map[string]T, f func(name string, one T)) {
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	var running sync.WaitGroup
	for name, one := range all {
		free <- struct{}{}
		running.Go(func() {
			f(name, one)
			<-free
		})
	}
	running.Wait()
}

// valuesFile writes values to a file. It is not in t.TempDir, whose name is the test's: Helm splits the names of files at commas.
func valuesFile(t *testing.T, values string) string {
	t.Helper()
	file, err := os.CreateTemp("", "values-*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(file.Name()) })
	if _, err := file.WriteString(values); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// options returns terratest's options for helm. Call it before anything runs in parallel: it may end the test.
func (r release) options(t *testing.T) *helm.Options {
	t.Helper()
	files := slices.Clone(r.files)
	if r.values != "" {
		files = append(files, valuesFile(t, r.values))
	}
	return &helm.Options{
		ValuesFiles:    append([]string{valuesFile(t, "worker: {printItems: true}")}, files...), // as render.Printing does
		KubectlOptions: k8s.NewKubectlOptions("", "", namespace),
		Logger:         logger.Discard,
	}
}

// template returns what helm template prints.
func (r release) template(t *testing.T, options *helm.Options) (string, error) {
	r = r.resolved()
	args := []string{"--kube-version", r.kube}
	if !r.plain {
		args = append(args, "--api-versions", "v1/Pod") // a kind, as only a cluster would list it
	}
	out, err := helm.RenderTemplateContextE(t, t.Context(), options, r.chart, r.name, nil, args...)
	if stderr := new(interface{ Stderr() string }); errors.As(err, stderr) {
		return out, errors.New((*stderr).Stderr())
	}
	return out, err
}

func TestExamplesPassLint(t *testing.T) {
	eachHelm(t, func(t *testing.T) {
		all := map[string]*helm.Options{}
		for _, example := range examples(t) {
			all[example] = release{}.options(t)
		}
		together(all, func(example string, options *helm.Options) {
			out, err := helm.RunHelmCommandAndGetOutputContextE(t, t.Context(), options, "lint",
				"--strict", "--kube-version", kubeVersion, "--values", example, chartDir)
			if err != nil {
				t.Errorf("helm lint --strict --values %s: %v\n%s", example, err, out)
			}
		})
	})
}

// Helm 3 and Helm 4 render what the tests render in this process. So the other tests hold for both, and an upgrade with the other
// one changes nothing.
func TestTheCommandLinesRenderTheSame(t *testing.T) {
	eachHelm(t, func(t *testing.T) {
		type template struct {
			release release
			options *helm.Options
			want    string
		}
		all := map[string]template{}
		for name, r := range validated(t) {
			if strings.HasSuffix(name, ", no hooks") && !slices.Contains(withoutHooks, name) {
				continue
			}
			want, err := r.render(t)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all[name] = template{r, r.options(t), withoutChance(want)}
		}
		for _, example := range []string{"persistent-redis", "external-redis"} {
			r := release{files: []string{filepath.Join(examplesDir, example+".yaml")}, plain: true}
			want, err := r.render(t)
			if err != nil {
				t.Fatalf("%s: %v", example, err)
			}
			all[example+", plain"] = template{r, r.options(t), withoutChance(want)}
		}
		together(all, func(name string, one template) {
			out, err := one.release.template(t, one.options)
			if got := withoutChance(out); err != nil || got != one.want {
				t.Errorf("%s: helm template renders (%v)\n%s\nand this process\n%s", name, err, got, one.want)
			}
		})
	})
}

// withoutHooks are the examples that the command lines render without hooks too: each kind of hook is in one of them.
var withoutHooks = []string{"fruits, no hooks", "persistent-redis, no hooks", "external-redis, no hooks", "items-from-program, no hooks"}

// withoutChance leaves out the order of objects of the same weight or kind, empty lines at their ends, and passwords, each of which
// is made up.
func withoutChance(rendered string) string {
	var documents []string
	for document := range strings.SplitSeq("\n"+rendered, "\n---\n") {
		documents = append(documents, madeUp.ReplaceAllString(strings.TrimSpace(document), ""))
	}
	slices.Sort(documents)
	return strings.Join(documents, "\n---\n")
}

var madeUp = regexp.MustCompile(`(?m)^  password: .*$`)

// The command lines refuse a wrong value as this process does.
func TestTheCommandLinesRefuseWrongValues(t *testing.T) {
	eachHelm(t, func(t *testing.T) {
		all := map[string]*helm.Options{}
		for _, values := range slices.Sorted(maps.Keys(refusals)) {
			all[values] = release{values: values}.options(t)
		}
		together(all, func(values string, options *helm.Options) {
			out, err := release{}.template(t, options)
			if err == nil {
				t.Errorf("helm template renders %s:\n%s", values, out)
				return
			}
			for _, want := range refusals[values] {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("helm template of %s: the message lacks %q:\n%v", values, want, err)
				}
			}
		})
	})
}

// refusals are one by each way in which values are refused, with what the message has: by the schema in several places, for a key,
// a type, a list of words; by a template.
var refusals = map[string][]string{
	"items: [null, apple, yes]":              {"items[0] is null", "items[2] is a boolean"},
	"{items: [a], worker: {paralelism: 2}}":  {"'/worker/paralelism'", "'given as worker.parallelism'"},
	"{items: [a], commonLabels: {a: 1}}":     {"'/commonLabels/a'", "want string"},
	"{items: [a], worker: {mode: lines}}":    {"'/worker/mode'", "'exec', 'batch', 'stream'"},
	"{items: [a], worker: {concurrency: 0}}": {"'/worker/concurrency'", "want 1"},
	"{items: [a], worker: {lease: '30'}}":    {"'/worker/lease'", "does not match"},
	"itemsFrom: {range: {start: 1}}":         {"'/itemsFrom/range'", "'end' required"},
	"{items: [a], worker: {image: busybox}}": {"worker.command", "cannot read an image's entrypoint"},
	"items: [1, 9007199254740993]":           {"items[1] is a number too large", "quote it"},
	"{items: [a], worker: {inject: image}}":  {"worker.inject: an image as a volume needs Kubernetes 1.35, and this is v1.34"},
}

// Helm 4 only: Helm 3 needs a cluster even for a dry run.
func TestTheCommandLinePrintsTheNotes(t *testing.T) {
	useHelm(t, "helm4")
	r := release{values: "{items: [apple, pear]}", plain: true} // no cluster was asked
	options := r.options(t)
	out, err := helm.RunHelmCommandAndGetStdOutContextE(t, t.Context(), options, "install", "demo", chartDir,
		"--namespace", namespace, "--dry-run=client", "--values", options.ValuesFiles[0], "--values", options.ValuesFiles[1])
	if want := strings.TrimSpace(r.notes(t)); err != nil || !strings.Contains(out, "\nNOTES:\n"+want) {
		t.Errorf("helm install --dry-run=client prints (%v)\n%s\nwant the notes\n%s", err, out, want)
	}
}

// The package renders the same as the folder, and holds what people read but not the sources of the schema.
func TestThePackageIsTheChart(t *testing.T) {
	eachHelm(t, func(t *testing.T) {
		dir := t.TempDir()
		if out, err := exec.CommandContext(t.Context(), "helm", "package", "--destination", dir, chartDir).CombinedOutput(); err != nil {
			t.Fatalf("helm package: %v\n%s", err, out)
		}
		packed := filepath.Join(dir, "workqueue-"+chartYAML(t).Version+".tgz")
		files := packedFiles(t, packed)
		for _, want := range []string{"README.md", "values.yaml", "values.schema.json", "LICENSE", "templates/NOTES.txt", "files/dashboard.json"} {
			if !slices.Contains(files, "workqueue/"+want) {
				t.Errorf("the package lacks %s: %q", want, files)
			}
		}
		if slices.Contains(files, "workqueue/types.yaml") {
			t.Error("the package has types.yaml, of which values.schema.json is made: see .helmignore")
		}
		here := release{values: "items: [apple]"}
		want, err := here.render(t)
		if err != nil {
			t.Fatal(err)
		}
		there := release{values: here.values, chart: packed}
		got, err := there.template(t, there.options(t))
		if err != nil || withoutChance(got) != withoutChance(want) {
			t.Errorf("the chart renders\n%s\nand its package (%v)\n%s", want, err, got)
		}
	})
}
