package swarm

import "syscall"

// attributes put a child into a process group of its own, so that a terminal's
// interrupt reaches the supervisor alone, and have it killed when the
// supervisor dies, however that dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
