package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/test/kube"
)

// TestOddTexts gives an odd name to a release, and everywhere else texts that Kubernetes, a shell or YAML could change. All of them
// arrive as they were written, and the uninstall finds all objects of that name.
func TestOddTexts(t *testing.T) {
	t.Parallel()
	odd := []string{"out.$$.png", "$(HOME)", "$(WQ_REDIS_PASSWORD)", "$$(WQ_QUEUE)", "`id`", `"twice" 'once'`, "two\nlines", `back\slash`, "0123"}
	quoted := func(value any) string {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	s := newSpace(t, "odd")
	s.major, s.release = "helm3", "1.2-"+strings.Repeat("z9", 24)+"x" // 53 characters are the most that Helm takes
	s.Apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: lists}, data: {list: "listed $(HOME) $$"}}`)
	s.keep()
	s.install(nil, map[string]string{
		"items":             quoted(odd),
		"itemsFrom.volume":  `{"configMap": {"name": "lists", "items": [{"key": "list", "path": "$$(HOME).txt"}]}}`,
		"itemsFrom.path":    `"$$(HOME).txt"`,
		"itemsFrom.range":   `{"start": 1, "end": 1, "format": "$$ $(HOME) %d"}`,
		"itemsFrom.image":   program(t),
		"itemsFrom.command": quoted(append([]string{"printf", `<%s>\n`}, odd...)),
		"queue.name":        quoted("$$-$(HOME)-`id`-'a'"),
		"worker.image":      program(t),
		"worker.command":    quoted(append([]string{"printf", "[%s]\n"}, append(odd, "{}")...)),
	})
	// The line break in one of the texts makes two items of it where a program prints it.
	s.complete(fmt.Sprintf("OK: all %d items are done", 2*len(odd)+1+2))
	logs := s.logs()
	for _, text := range odd {
		if n := strings.Count(logs, "["+text+"]"); n < 2*len(odd)+3 {
			t.Errorf("%q is in the logs %d times, and each of the items has it among its arguments:\n%s", text, n, logs)
		}
	}
	kube.WantText(t, logs, "[<out.$$.png>]", "[<$(WQ_REDIS_PASSWORD)>]", "[<$$(WQ_QUEUE)>]", "[<two]", "[lines>]", "[listed $(HOME) $$]", "[$$ $(HOME) 1]")
	monitor := s.Must("get", "deployment", "-o", "name") // its name is not made of the release's alone
	kube.WantText(t, s.Must("exec", monitor, "--", "worker", "runs"), "$$-$(HOME)-`id`-'a'")
	s.uninstall()
}
