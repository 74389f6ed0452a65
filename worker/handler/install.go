package handler

import (
	"io"
	"os"
	"path/filepath"
)

// Install copies the running program to dir/worker, executable by every user, so that it can run inside another image.
// It works without a shell and without write access to anything but dir.
func Install(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	in, err := os.Open(self)
	if err != nil {
		return err
	}
	defer in.Close()
	// Under another name first: a container that starts too early finds no half-written program.
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
	// The mode is set after creation, where the umask has a say. Every user may run it, and nobody may read it: the kernel then hides
	// the memory and environment of its processes, Redis's password among them, from other processes of the same user.
	if err := os.Chmod(temporary, 0o111); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(dir, "worker"))
}
