package retention

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/node/home"
)

// Swarms counts the swarms whose homes are below a home.
type Swarms struct {
	Running int   // left alone
	Deleted int   // or, in a dry run, to be deleted
	Bytes   int64 // of those
}

// DeleteSwarms deletes the homes that `alia swarm` left below a home, except
// those of swarms that run. A dry run only counts.
func DeleteSwarms(dir home.Dir, dry bool) (Swarms, error) {
	var out Swarms
	swarms, err := os.ReadDir(dir.Swarms())
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	} else if err != nil {
		return out, fmt.Errorf("list swarms: %w", err)
	}
	for _, s := range swarms {
		if !s.IsDir() {
			continue // what a file manager left, such as .DS_Store
		}
		path := filepath.Join(dir.Swarms(), s.Name())
		size, running, err := survey(path)
		if err != nil {
			return out, fmt.Errorf("swarm %s: %w", path, err)
		}
		if running {
			out.Running++
			continue
		}
		if !dry {
			if err := os.RemoveAll(path); err != nil {
				return out, fmt.Errorf("delete swarm: %w", err)
			}
		}
		out.Deleted++
		out.Bytes += size
	}
	return out, nil
}

// survey adds up the files of a swarm, and says whether a process of the swarm
// has its home open.
func survey(path string) (size int64, running bool, err error) {
	used, err := home.Dir(path).InUse()
	if err != nil || used { // it begins, and has no members yet
		return 0, used, err
	}
	members, err := os.ReadDir(path)
	if err != nil {
		return 0, false, err
	}
	for _, m := range members {
		if !m.IsDir() {
			continue
		}
		used, err := home.Dir(filepath.Join(path, m.Name())).InUse()
		if err != nil || used {
			return 0, used, err
		}
	}
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, false, err
}
