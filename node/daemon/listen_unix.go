//go:build unix

package daemon

import (
	"errors"
	"syscall"
)

// private lets only the owner of a socket's file use the file, from the moment it
// appears: Linux gives the file the mode of the socket that is bound to it. Other systems
// may refuse this; there [Serve] sets the mode a moment later.
func private(_, _ string, c syscall.RawConn) error {
	var err error
	cerr := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), socketMode) })
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(cerr, err)
}
