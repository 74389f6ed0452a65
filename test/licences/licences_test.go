// Package licences keeps THIRD_PARTY_LICENSES up to date: the licences of all modules in the worker's binary, which they require
// to be distributed with it.
package licences

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	root = "../.."
	file = root + "/THIRD_PARTY_LICENSES"
)

var update = flag.Bool("update", false, "write the file")

// kinds are the accepted licences, which require nothing but their text, and words by which each is recognized.
var kinds = []struct{ name, words string }{
	{"Apache-2.0", "Apache License"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"BSD-3-Clause", "Neither the name of"},
	{"BSD-2-Clause", "Redistribution and use in source and binary forms"},
}

func TestTheLicencesAreFresh(t *testing.T) {
	want := texts(t)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("THIRD_PARTY_LICENSES is not what is linked into the worker (%v): cd test && go test ./licences -update", err)
	}
}

// The chart is distributed without the rest of the project, so it has a copy of the licence.
func TestTheChartHasTheLicence(t *testing.T) {
	want, err := os.ReadFile(root + "/LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(root + "/charts/workqueue/LICENSE"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("charts/workqueue/LICENSE is not LICENSE (%v): cp LICENSE charts/workqueue/", err)
	}
}

// texts returns the file as it should be.
func texts(t *testing.T) string {
	t.Helper()
	var list, all strings.Builder
	for _, module := range modules(t) {
		name, dir := module[0], module[1]
		found, _ := filepath.Glob(filepath.Join(dir, "[LN][IO][CT][EI]*")) // LICENSE, LICENCE.md, NOTICE
		kind := ""
		for _, path := range found {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if kind == "" {
				kind = kindOf(string(text))
			}
			fmt.Fprintf(&all, "\n%s\n%s: %s\n\n%s\n", strings.Repeat("-", 80), name, filepath.Base(path), strings.TrimSpace(string(text)))
		}
		if kind == "" {
			t.Errorf("%s has no licence that is known here: look into %s, and whether it may be linked in", name, dir)
		}
		fmt.Fprintf(&list, "%-90s %s\n", name, kind)
	}
	return "The worker is made of these modules besides its own code, which LICENSE is about.\n\n" + list.String() + all.String()
}

func kindOf(text string) string {
	text = regexp.MustCompile(`\s+`).ReplaceAllString(text, " ")
	for _, kind := range kinds {
		if strings.Contains(text, kind.words) {
			return kind.name
		}
	}
	return ""
}

// modules returns the name and folder of each module in the binary, the standard library first.
func modules(t *testing.T) (all [][2]string) {
	t.Helper()
	goes := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %s: %v", strings.Join(args, " "), err)
		}
		return string(out)
	}
	all = append(all, [2]string{"the Go standard library", strings.TrimSpace(goes("env", "GOROOT"))})
	seen := map[string]bool{}
	for line := range strings.Lines(goes("list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}|{{.Dir}}{{end}}{{end}}", "./worker")) {
		name, dir, found := strings.Cut(strings.TrimSpace(line), "|")
		if found && !seen[name] {
			seen[name] = true
			all = append(all, [2]string{name, dir})
		}
	}
	slices.SortFunc(all[1:], func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return all
}
