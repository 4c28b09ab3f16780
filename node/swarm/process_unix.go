//go:build unix

package swarm

import (
	"errors"
	"os/exec"
	"syscall"
)

// terminate asks a process to drain.
func terminate(cmd *exec.Cmd) { signalGroup(cmd, syscall.SIGTERM) }

// kill ends a process and all that it started.
func kill(cmd *exec.Cmd) { signalGroup(cmd, syscall.SIGKILL) }

// signalGroup signals the whole process group of a child. It ignores that the child
// has ended already.
func signalGroup(cmd *exec.Cmd, s syscall.Signal) { _ = syscall.Kill(-cmd.Process.Pid, s) }

// signalled reports whether a process was ended by a signal rather than by
// itself.
func signalled(err error) bool {
	var e *exec.ExitError
	if !errors.As(err, &e) {
		return false
	}
	status, ok := e.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}
