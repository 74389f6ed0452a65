package monitor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/worker/config"
	"github.com/workqueue/workqueue/worker/dispatch"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/report"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fields returns the names of a struct's fields in JSON, with those of the structs embedded in it.
func fields(of reflect.Type) (names []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			names = append(names, fields(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" { // the states of items
			continue
		}
		names = append(names, name)
	}
	return names
}

// TestTheAPIIsDocumented: every path, field and state is documented, and no field that does not exist.
func TestTheAPIIsDocumented(t *testing.T) {
	doc := read(t, "../../docs/monitor.md")
	routes := regexp.MustCompile(`HandleFunc\("(?:GET|POST) ([^"]+)"`).FindAllStringSubmatch(read(t, "monitor.go"), -1)
	if len(routes) < 14 {
		t.Fatalf("found %d routes only", len(routes))
	}
	for _, route := range routes {
		if path := strings.ReplaceAll(route[1], "{$}", ""); !regexp.MustCompile("`(?:GET |POST )?" + regexp.QuoteMeta(path) + "[`?]").MatchString(doc) {
			t.Errorf("docs/monitor.md does not name %s", path)
		}
	}
	all := []string{"items"}
	for _, state := range queue.ItemStates {
		all = append(all, state.Name)
	}
	for _, value := range []any{Snapshot{}, Sample{}, Run{}, Workers{}, Worker{}, dispatch.RunningItem{}, dispatch.LastError{}, config.Shown{}, Latency{}, Record{}, RecordPage{},
		record.Failure{}, record.Failures{}, ActionRequest{}, ActionResponse{}} {
		all = append(all, fields(reflect.TypeOf(value))...)
	}
	for _, name := range all {
		if name == "recent" { // the monitor makes the latency of it
			continue
		}
		if !strings.Contains(doc, "`"+name+"`") && !strings.Contains(doc, `{"`+name+`":`) {
			t.Errorf("docs/monitor.md does not name the field %s", name)
		}
	}
	tables := doc[strings.Index(doc, "## Fields"):strings.Index(doc, "## Metrics")]
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(tables, -1) {
		for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1) {
			if !slices.Contains(all, name[1]) {
				t.Errorf("docs/monitor.md names a field %s that is not there", name[1])
			}
		}
	}
	for _, state := range report.States {
		if !strings.Contains(doc, fmt.Sprintf("`%s` (%s)", state.State, state.Meaning)) {
			t.Errorf("docs/monitor.md does not name the state %s (%s)", state.State, state.Meaning)
		}
	}
	for _, state := range queue.ItemStates {
		if want := fmt.Sprintf("| `%s` | items %s |", state.Name, state.Meaning); !strings.Contains(doc, want) {
			t.Errorf("docs/monitor.md lacks the row %s", want)
		}
		if strings.Contains(read(t, "assets/monitor.js"), "run."+state.Name+" + run.") {
			t.Errorf("monitor.js adds items that are %s: the API has the sum", state.Name)
		}
	}
}

// filesIn lists the files in a folder and in those below it.
func filesIn(t *testing.T, folder string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

var metricName = regexp.MustCompile(`\bworkqueue_[a-z_]+`)

// TestEveryMetricNamedIsThere: the metrics and states that the chart's dashboard and alerts and the documentation name exist.
func TestEveryMetricNamedIsThere(t *testing.T) {
	server, _ := serve(t, 3, 1)
	_, metrics := get(t, server.URL+"/metrics")
	there := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(metrics, -1) {
		there[line[1]] = true
	}
	// The workers' own are written by another package.
	for _, line := range regexp.MustCompile(`page\.(\w+)\("(workqueue_worker_\w+)"`).FindAllStringSubmatch(read(t, "../dispatch/stats.go"), -1) {
		there[line[2]] = true
		if line[1] == "Histogram" {
			there[line[2]+"_bucket"], there[line[2]+"_sum"], there[line[2]+"_count"] = true, true, true
		}
	}
	state := regexp.MustCompile(`state=~?\\*"([a-z|]+)\\*"`)
	named := 0
	for _, path := range append(filesIn(t, "../../charts/workqueue"), "../../docs/monitor.md") {
		text := read(t, path)
		for _, name := range metricName.FindAllString(text, -1) {
			if named++; !there[name] && !strings.HasSuffix(name, "_") {
				t.Errorf("%s names a metric %s that is not there", path, name)
			}
		}
		for _, match := range state.FindAllStringSubmatch(text, -1) {
			for one := range strings.SplitSeq(match[1], "|") {
				if !strings.Contains(metrics, `state="`+one+`"`) {
					t.Errorf("%s asks for items that are %s: no item ever is", path, one)
				}
			}
		}
	}
	if named < 10 {
		t.Errorf("found %d names only", named)
	}
	for name := range there {
		if !strings.Contains(read(t, "../../docs/monitor.md"), name) && !strings.HasPrefix(name, "workqueue_worker_") {
			t.Errorf("docs/monitor.md does not name the metric %s", name)
		}
	}
}

// TestTheSecurityPageNamesTestsThatAreThere: a claim whose test is gone is only a claim.
func TestTheSecurityPageNamesTestsThatAreThere(t *testing.T) {
	there := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, path := range append(filesIn(t, "../../worker"), filesIn(t, "../../test")...) {
		if strings.HasSuffix(path, ".txtar") {
			there[filepath.Base(path)] = true
		}
		if strings.HasSuffix(path, "_test.go") {
			for _, name := range function.FindAllStringSubmatch(read(t, path), -1) {
				there[name[1]] = true
			}
		}
	}
	names := regexp.MustCompile("`((?:Test|Fuzz)\\w+|\\w+\\.txtar)`").FindAllStringSubmatch(read(t, "../../docs/security.md"), -1)
	if len(names) < 20 {
		t.Errorf("found %d names of tests only", len(names))
	}
	for _, name := range names {
		if !there[name[1]] {
			t.Errorf("docs/security.md names %s, which is not there", name[1])
		}
	}
}
