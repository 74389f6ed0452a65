package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
)

func runInstall(_ context.Context, args []string) error {
	if len(args) != 1 {
		return usageError("install takes one folder: worker install /workqueue")
	}
	return install(args[0])
}

// install copies the running program to dir/worker, so that it can run inside another image. It needs no shell, and write access only to
// dir.
func install(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	in, err := os.Open(self)
	if err != nil {
		return err
	}
	defer in.Close()
	// Written under another name, so that a container that starts too early does not find half a program.
	temporary := filepath.Join(dir, ".worker")
	out, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	// The umask applies to the mode at creation, so it is set now. Every user may run the program and nobody may read it: the kernel then
	// hides the memory and environment of its processes, including the password of Redis, from other processes of the same user.
	if err := os.Chmod(temporary, 0o111); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(dir, "worker"))
}
