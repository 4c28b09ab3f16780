//go:build unix && !aix && !solaris

package journal

import (
	"errors"
	"os"
	"syscall"
)

// lockDir locks a directory itself. The system releases the lock when the process
// ends, however it ends.
func lockDir(dir string) (unlock func() error, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = &os.PathError{Op: "lock", Path: dir, Err: ErrLocked}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}
