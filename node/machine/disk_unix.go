//go:build linux || darwin

package machine

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FreeDisk is the bytes that this user can still write where path is or would
// be made.
func FreeDisk(path string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(existing(path), &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// existing is path, or the nearest directory above it that exists.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}
