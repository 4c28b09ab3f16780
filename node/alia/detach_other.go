//go:build !unix

package main

import "syscall"

// detached does nothing where a process has no session.
func detached() *syscall.SysProcAttr { return nil }
