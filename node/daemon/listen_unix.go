//go:build unix

package daemon

import (
	"errors"
	"syscall"
)

// private has a socket's file be its owner's alone from the moment it appears: Linux
// gives the file the mode that the socket has when it is bound. Other systems may refuse
// that; there the mode is set a moment later.
func private(_, _ string, c syscall.RawConn) error {
	var err error
	cerr := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), socketMode) })
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(cerr, err)
}
