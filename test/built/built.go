// Package built finds the programs that make has built into bin/. Its callers are tests in the folders beside it.
package built

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Worker returns the path of the worker's binary.
func Worker(tb testing.TB) string {
	tb.Helper()
	path, err := find("linux-" + runtime.GOARCH + "/worker")
	if err != nil {
		tb.Fatalf("%v: make worker builds it", err)
	}
	return path
}

// Tool returns the path of a program that the tests run, such as kubeconform.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	path, err := find(name)
	if err != nil {
		tb.Fatalf("%v: make tools builds it", err)
	}
	return path
}

// Path returns a PATH that begins with a major version of Helm ("helm3" or "helm4") and the other tools.
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
