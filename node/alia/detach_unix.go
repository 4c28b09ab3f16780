//go:build unix

package main

import "syscall"

// detached has a process outlive the terminal of the one that starts it.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
