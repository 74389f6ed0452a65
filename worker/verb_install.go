package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
)

var installVerb = verb{
	name:     "install",
	summary:  "copy this program to a folder",
	operands: "DIR",
	help:     "An init container does that, so that it can run inside your image.",
	examples: []string{
		"worker install /workqueue",
	},
	run: runInstall,
}

func runInstall(_ context.Context, args []string) error {
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
