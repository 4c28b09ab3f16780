package swarm

import "syscall"

// attributes gives a child its own process group, so that an interrupt from the
// terminal reaches only the supervisor. The kernel kills the child when the
// supervisor ends, even by SIGKILL.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
