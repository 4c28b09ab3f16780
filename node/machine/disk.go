package machine

import (
	"errors"
	"os"
	"path/filepath"
)

// Writable returns nil when this user can make files in the directory at path,
// or make that directory, and otherwise why not.
func Writable(path string) error {
	f, err := os.CreateTemp(existing(path), ".alia-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
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
