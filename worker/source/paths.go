package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Paths reads lists of items, each a file or a folder of files. A folder is read in the order of its names, with the
// folders in it; names that begin with a dot are passed over, as Kubernetes keeps the inner workings of a mounted
// ConfigMap or Secret there.
func Paths(ctx context.Context, paths []string, layout Layout, each func(payload string) error) error {
	return from(ctx, each, func(each func(string) error) error {
		for _, path := range paths {
			if err := readPath(ctx, path, layout, each); err != nil {
				return err
			}
		}
		return nil
	})
}

func readPath(ctx context.Context, path string, layout Layout, each func(string) error) error {
	file, err := open(ctx, path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if err := NewList(Interruptible(ctx, file), layout).Each(each); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if err := readPath(ctx, filepath.Join(path, entry.Name()), layout, each); err != nil {
			return err
		}
	}
	return nil
}
