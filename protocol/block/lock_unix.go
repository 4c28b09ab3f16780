//go:build unix && !aix && !solaris

package block

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// lockFile locks the file at path for this process and writes its number into
// it, for people. The system releases the lock when the process ends, however it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.LimitReader(f, 20)) // only to tell the reader
		err = fmt.Errorf("%w by process %s", ErrInUse, cmp.Or(strings.TrimSpace(string(pid)), "unknown"))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// A full disk may have no room for the number. The store opens all the same: its
	// owner wants to delete blocks.
	f.Truncate(0)
	fmt.Fprintln(f, os.Getpid())
	return f, nil
}

// locked reports whether a process has the file at path locked. It writes nothing.
func locked(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// unlockFile releases the lock. The file stays: removing it would let two
// processes lock two files of one name.
func unlockFile(f *os.File) error { return f.Close() }
