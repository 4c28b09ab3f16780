//go:build !unix || aix || solaris

package block

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// lockFile creates the file at path, which must not exist. A process that ends
// without unlockFile leaves it behind, so the error says what to do about it.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w by another process (if none runs, remove %s)", ErrInUse, path)
	}
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return f, nil
}

// locked reports whether the file at path is there.
func locked(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// unlockFile removes the file.
func unlockFile(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }
