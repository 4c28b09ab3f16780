//go:build !unix || aix || solaris

package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// lockDir makes a file beside the directory. A process that ends without unlock leaves
// the file behind, so the error says what to do about it.
func lockDir(dir string) (unlock func() error, err error) {
	path := dir + ".lock"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("lock %s: %w (if no process runs, remove %s)", dir, ErrLocked, path)
	}
	if err != nil {
		return nil, err
	}
	return func() error { return errors.Join(f.Close(), os.Remove(path)) }, nil
}
