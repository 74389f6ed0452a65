//go:build !linux

package initproc

func hide() {} // there is no /proc to hide from
