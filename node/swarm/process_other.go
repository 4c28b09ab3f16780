//go:build !unix

package swarm

import (
	"os/exec"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

// terminate ends a process: this system has no way to ask.
func terminate(cmd *exec.Cmd) { kill(cmd) }

// kill ends a process. That it is gone already is no error.
func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// signalled is false: this system does not tell.
func signalled(error) bool { return false }
