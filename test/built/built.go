// Package built finds what make has built into bin/. Tests run in their own folders, which are beside this one.
package built

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Worker is the path of the worker's binary.
func Worker(tb testing.TB) string {
	tb.Helper()
	path, err := find("linux-" + runtime.GOARCH + "/worker")
	if err != nil {
		tb.Fatalf("%v: make worker builds it", err)
	}
	return path
}

// Tool is the path of a program that the tests call by name, such as kubeconform.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	path, err := find(name)
	if err != nil {
		tb.Fatalf("%v: make tools builds it", err)
	}
	return path
}

// Path is a PATH on which a major of Helm ("helm3", "helm4") and the other tools come first.
func Path(major string) (string, error) {
	helm, err := find(major + "/helm")
	if err != nil {
		return "", fmt.Errorf("%w: make tools builds it", err)
	}
	folder := filepath.Dir(helm)
	return strings.Join([]string{folder, filepath.Dir(folder), os.Getenv("PATH")}, string(os.PathListSeparator)), nil
}

func find(name string) (string, error) {
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	return path, err
}
