package browser

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// axe returns the source of axe-core, which npm installs into bin/axe as the lock file says.
var axe = sync.OnceValues(func() (string, error) {
	dir := filepath.FromSlash("../../bin/axe")
	source := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	changed := false
	for _, name := range []string{"package.json", "package-lock.json"} {
		wanted, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if present, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(present) != string(wanted) {
			changed = true
		}
		if err := os.WriteFile(filepath.Join(dir, name), wanted, 0o644); err != nil {
			return "", err
		}
	}
	if _, err := os.Stat(source); err != nil || changed {
		install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		install.Dir = dir
		if output, err := install.CombinedOutput(); err != nil {
			return "", fmt.Errorf("npm ci (Debian package npm): %w\n%s", err, output)
		}
	}
	text, err := os.ReadFile(source)
	return string(text), err
})

// accessible fails the test if axe-core finds anything wrong with what the page shows now.
func (p *tab) accessible(what string) {
	p.t.Helper()
	source, err := axe()
	if err != nil {
		p.t.Fatal(err)
	}
	if !eval[bool](p, "typeof axe === 'object'") {
		p.run(source)
	}
	p.run(`window.violations = null; axe.run({resultTypes: ["violations"]}).then((r) => { violations = r.violations.map((v) =>
		v.id + ": " + v.help + "\n  " + v.nodes.slice(0, 5).map((n) => n.html.slice(0, 200) + " (" + n.failureSummary.replace(/\s+/g, " ") + ")").join("\n  ")); })`)
	p.await("axe-core is done", "violations")
	for _, violation := range eval[[]string](p, "violations") {
		p.t.Errorf("%s: %s", what, strings.TrimSpace(violation))
	}
}

func TestAccessibility(t *testing.T) {
	t.Parallel()
	s := newSite(t, "thumbnails-0123456789")
	p := s.open()
	p.awaitText("#state", "unseeded")
	p.accessible("before the run")
	s.seed(numbered(200, "item-%03d")...)
	s.dead(120, traceback)
	s.settle("done", 10, func(string) string {
		return `{"output":"42","host":"thumbnails-7x9k2","seconds":1.5,"started":"2026-01-02T03:04:05Z"}`
	})
	s.shell("sleep 60", "WQ_CONCURRENCY=2", "WQ_STOP_AFTER_DEAD=0", "WQ_HOST=thumbnails-7x9k2")
	p.await("all is there", "document.querySelectorAll('#dead-list li').length === 50 && document.querySelectorAll('#workers-rows tr').length > 0 && document.querySelectorAll('#failures-rows tr').length > 0")
	for _, card := range []string{"runs", "results"} {
		p.click("#" + card + "-card > summary")
	}
	p.await("the cards are filled", "document.querySelectorAll('#results-list li').length === 10 && document.querySelectorAll('#runs-rows tr').length === 1")
	p.run("document.querySelectorAll('#dead-list li:nth-child(-n + 2) details, #results-list details').forEach((d) => { d.open = true })")
	p.await("two are open", "document.querySelectorAll('#dead-list .record').length === 2")
	for _, theme := range []string{"light", "dark"} {
		p.light(theme)
		p.accessible("during the run, " + theme)
	}
	p.shoot("everything-dark")
	p.click("#pause")
	p.awaitText("#confirm-title", "Pause the run?")
	p.accessible("while it asks")
	p.shoot("pause-dark")
	p.calm()
}
