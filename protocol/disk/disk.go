// Package disk makes files durable: what is synced is still there after a
// power cut.
//
// A file that was written, and a name that was given, are in memory first. After
// a power cut a file that was not synced may be empty, cut short or as it was
// before, and a name may be missing although its file was synced. So a new file
// needs two syncs: its own, and that of its directory.
//
//	err := disk.WriteFile(disk.OS, path, data) // whole and durable, or as before
//	err = disk.SyncAll(disk.OS, files, dirs)   // many files, then their directories
package disk

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Syncer makes durable what f holds: the bytes of a file, or the names in a
// directory. A test puts a disk that loses power in its place.
type Syncer interface {
	Sync(f *os.File) error
}

// OS syncs by the operating system.
var OS Syncer = system{}

type system struct{}

// Sync waits until the device has the file.
func (system) Sync(f *os.File) error { return syncFile(f) }

// Or returns s, or [OS] when s is nil.
func Or(s Syncer) Syncer { return cmp.Or(s, OS) }

// SyncPath makes durable the file or the directory at path.
func SyncPath(s Syncer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	if err := errors.Join(s.Sync(f), f.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}

// parallel is how many files are synced at a time. The file system writes its
// own journal once for all syncs that wait, so together they take a third to a
// quarter of the time that they take one after another: 22 files of a round of
// preset tiny, 7 MB, took 4 to 6 ms together and 9 to 23 ms in turn, on ext4.
// syncfs(2) took 3 to 5 ms, but waits for what other processes write too: 38 ms
// against 17 ms while one copied a large file.
const parallel = 8

// SyncAll makes files durable, and then the directories with their names.
func SyncAll(s Syncer, files, dirs []string) error {
	for _, paths := range [][]string{files, dirs} {
		if err := syncTogether(s, paths); err != nil {
			return err
		}
	}
	return nil
}

func syncTogether(s Syncer, paths []string) error {
	errs := make([]error, len(paths))
	var wg sync.WaitGroup
	turn := make(chan struct{}, parallel)
	for i, path := range paths {
		turn <- struct{}{}
		wg.Go(func() {
			errs[i] = SyncPath(s, path)
			<-turn
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// WriteFile replaces the file at path by data, whole or not at all: a crash, a
// power cut or a full disk leaves the file of before. When it returns without an
// error, the new file is durable.
func WriteFile(s Syncer, path string, data []byte) error {
	return WriteFileMode(s, path, data, 0o644)
}

// WriteFileMode is [WriteFile] for a file with other permissions, such as those of a secret.
// Nobody else can read the file before it has them.
func WriteFileMode(s Syncer, path string, data []byte, mode os.FileMode) error {
	dir := filepath.Dir(path)
	name := filepath.Base(path) // with room for what is added: a name has 255 bytes
	f, err := os.CreateTemp(dir, "."+name[:min(len(name), 200)]+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, werr := f.Write(data)
	err = errors.Join(werr, f.Chmod(mode))
	if err == nil {
		err = s.Sync(f)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) // the error above says more than one about the remains
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := SyncPath(s, dir); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// MakeDir makes the directory at path, with those above it that are missing,
// and makes their names durable.
func MakeDir(s Syncer, path string) error {
	path = filepath.Clean(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(path)
	if above != path {
		if err := MakeDir(s, above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return SyncPath(s, above)
}
