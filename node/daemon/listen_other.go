//go:build !unix

package daemon

import "syscall"

// private does nothing: the home's directory protects the socket.
func private(_, _ string, _ syscall.RawConn) error { return nil }
