//go:build unix

// Package powercut is a disk that loses power, for tests.
//
// A [Disk] is the [disk.Syncer] of the code under test. It notes what every synced
// file holds and which names every synced directory has. [Disk.Cut] makes a copy of
// the directory as a power cut might leave it: what was synced is there; every
// other file is as it was when it was synced last, or empty, or cut short, or full
// of zeros, or as it is now; every other name is there or not.
//
//	d := powercut.New(dir, seed)
//	d.CutAt(n, into)  // at the n-th step: [Disk.Step], or a sync
//	err := run(d)     // ends with ErrPower
package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// ErrPower is returned by every sync and every step after the power cut.
var ErrPower = errors.New("the power is cut")

// Disk is a directory on a disk that loses power.
type Disk struct {
	dir  string
	rand *rand.Rand

	mu    sync.Mutex // guards what follows
	files map[uint64][]byte
	open  map[uint64]int               // file descriptors, so that no inode is used again
	names map[uint64]map[string]uint64 // of synced directories: the inodes by name
	steps int
	at    int // the step of the cut; 0: none
	into  string
	err   error // ErrPower after the cut, joined with what went wrong in it
}

// New returns a disk that holds dir. What dir holds already counts as synced.
func New(dir string, seed uint64) (*Disk, error) {
	d := &Disk{dir: dir, rand: rand.New(rand.NewPCG(seed, 0)), files: map[uint64][]byte{}, open: map[uint64]int{}, names: map[uint64]map[string]uint64{}}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(d.note(f), f.Close())
	})
	return d, err
}

// CutAt cuts the power at the n-th step from now: the directory into, which must
// be empty, then has what is left. Nothing after that step changes into.
func (d *Disk) CutAt(n int, into string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at, d.into = d.steps+n, into
}

// Steps returns the number of steps so far.
func (d *Disk) Steps() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.steps
}

// Step is a moment at which the power may be cut.
func (d *Disk) Step() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step()
}

func (d *Disk) step() error {
	if d.err != nil {
		return d.err
	}
	if d.steps++; d.at > 0 && d.steps >= d.at {
		d.err = errors.Join(ErrPower, d.cut(d.into))
	}
	return d.err
}

// Sync notes that f is durable. It is a step. It does not sync by the operating
// system, which no test needs.
func (d *Disk) Sync(f *os.File) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	return d.note(f)
}

// note remembers the content of a file or a directory.
func (d *Disk) note(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		d.names[inode(info)], err = list(f.Name())
	} else {
		d.files[inode(info)], err = io.ReadAll(io.NewSectionReader(f, 0, info.Size()))
	}
	if err == nil {
		err = d.hold(f.Name(), info)
	}
	for name, ino := range d.names[inode(info)] {
		if _, held := d.open[ino]; held || err != nil {
			continue
		}
		path := filepath.Join(f.Name(), name)
		if info, err = os.Lstat(path); err == nil && inode(info) == ino {
			err = d.hold(path, info)
		}
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			err = nil
		}
	}
	return err
}

// hold keeps the inode of a file from being used again, by a file descriptor.
func (d *Disk) hold(path string, info fs.FileInfo) (err error) {
	if _, held := d.open[inode(info)]; held {
		return nil
	}
	d.open[inode(info)], err = syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		delete(d.open, inode(info))
	}
	return err
}

// Close closes the files.
func (d *Disk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, fd := range d.open {
		errs = append(errs, syscall.Close(fd))
	}
	clear(d.open)
	return errors.Join(errs...)
}

func inode(info fs.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

// list is the inodes of a directory, by name.
func list(path string) (map[string]uint64, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	names := map[string]uint64{}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		names[e.Name()] = inode(info)
	}
	return names, nil
}

// cut makes the copy.
func (d *Disk) cut(into string) error {
	paths := map[uint64]string{} // of what is there now
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil {
			paths[inode(info)] = path
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cut: %w", err)
	}
	if err := d.copyDir(d.dir, into, paths); err != nil {
		return fmt.Errorf("cut: %w", err)
	}
	return nil
}

// copyDir copies what is left of a directory.
func (d *Disk) copyDir(dir, into string, paths map[uint64]string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	now, err := list(dir)
	if err != nil {
		return err
	}
	synced := d.names[inode(info)]
	all := maps.Clone(now)
	maps.Copy(all, synced)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		before, was := synced[name]
		after, is := now[name]
		if was && is && before != after { // one file replaced another
			if is = d.coin(); is {
				before = after
			}
		} else if is && !was {
			if before = after; d.coin() {
				continue
			}
		} else if was && !is && d.coin() {
			continue
		}
		if err := d.copy(before, paths[before], filepath.Join(into, name), paths); err != nil {
			return err
		}
	}
	return nil
}

func (d *Disk) coin() bool { return d.rand.IntN(2) == 0 }

// copy copies what is left of a file or a directory, now at path or nowhere.
func (d *Disk) copy(ino uint64, path, into string, paths map[uint64]string) error {
	if path == "" {
		if _, isDir := d.names[ino]; isDir {
			return os.Mkdir(into, 0o755)
		}
		return os.WriteFile(into, d.files[ino], 0o644) // its removal was lost
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		if err := os.Mkdir(into, 0o755); err != nil {
			return err
		}
		return d.copyDir(path, into, paths)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	synced, was := d.files[ino]
	return os.WriteFile(into, d.left(synced, data, was), 0o644)
}

// sector is the bytes that a device writes at once.
const sector = 512

// left is what a power cut leaves of a file that was synced with some bytes, if
// was is set, and now has others.
func (d *Disk) left(synced, now []byte, was bool) []byte {
	if was && bytes.Equal(synced, now) {
		return now
	}
	// What was appended to a synced file is at risk, not what stands before it.
	safe := 0
	if was && bytes.HasPrefix(now, synced) {
		safe = len(synced)
	}
	cut := now[:safe+d.rand.IntN(len(now)-safe+1)]
	switch d.rand.IntN(5) {
	case 0:
		if was {
			return synced
		}
		return nil
	case 1:
		return cut
	case 2: // the length is there, and the sectors from some one on are not
		torn := bytes.Clone(now)
		clear(torn[max(safe, len(cut)/sector*sector):])
		return torn
	case 3: // one sector is not there
		torn := bytes.Clone(now)
		at := len(cut) / sector * sector
		clear(torn[min(max(safe, at), len(torn)):min(at+sector, len(torn))])
		return torn
	}
	return now
}
