package initproc

import "golang.org/x/sys/unix"

// hide keeps other processes of the same user out of this one's memory and environment: what the items' commands run may
// not look up in /proc/1/environ what was kept from their own. It lasts until the next exec, so that they are not hidden.
func hide() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // without it nothing fails
}
