//go:build unix && !linux

package swarm

import "syscall"

// attributes put a child into a process group of its own, so that a terminal's
// interrupt reaches the supervisor alone.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
