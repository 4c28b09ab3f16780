package wallet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/protocol/disk"
)

// Keep gives the wallet at path a second name in the same directory. A file that has the
// name already stays, if it is a wallet of the same account. The name is on disk when
// Keep returns.
func Keep(path, name string) error {
	account, _, err := Inspect(path)
	if err != nil {
		return err
	}
	if err := os.Link(path, name); errors.Is(err, fs.ErrExist) {
		if kept, _, err := Inspect(name); err != nil {
			return err
		} else if kept != account {
			return fmt.Errorf("keep wallet %s: %s holds another key, of account %s: move that file away", path, name, kept)
		}
	} else if err != nil {
		return fmt.Errorf("keep wallet %s: %w", path, err)
	}
	return disk.SyncPath(disk.OS, filepath.Dir(name))
}

// Replace puts the wallet at next in the place of the one at path, whatever key that one
// holds: [Keep] keeps it. The two are in one directory. After a crash the one or the other
// is at path, whole; when Replace returns, the new one is there for good.
func Replace(path, next string) error {
	if _, _, err := Inspect(next); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("replace wallet %s: %w", path, err)
	}
	return disk.SyncPath(disk.OS, filepath.Dir(path))
}
