package block

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/disk"
)

// Store stores blocks as files, dir/xx/CID, where xx are the last two characters
// of the CID. A file appears whole or not at all: it is written under dir/tmp and
// renamed. Put does not wait for the disk: a power cut may empty or cut short the
// files of the last half minute. Get verifies every CID and so finds them. Blocks
// that must survive a power cut are given to [Store.Sync] before anything that
// names them is written.
//
// Blocks have owners, see [Store.Pin]. Only [Store.Sweep] deletes blocks, and it
// deletes none that has an owner. No file is ever written to again once it has its
// name, so another process may read the files: see [Reader].
type Store struct {
	dir     string
	disk    disk.Syncer
	lock    *os.File
	damaged atomic.Int64
	closed  atomic.Bool
	durable atomic.Bool // the name of dir in its parent directory was synced
	owners  owners
	secrets secrets
	recent  recent
}

// Open opens the store in dir, and creates it if it does not exist. One process
// at a time can open a store: a second Open fails and names the first process.
func Open(dir string) (*Store, error) { return OpenOn(disk.OS, dir) }

// OpenOn is [Open] for a store that syncs files by s. A test gives a disk that
// loses power.
func OpenOn(s disk.Syncer, dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open block store: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("open block store %s: %w", dir, err)
	}
	// An interrupted process may have left half-written files. Whoever has no lock leaves
	// the directory alone: another process may be making it.
	tmp := filepath.Join(dir, "tmp")
	if err := errors.Join(os.RemoveAll(tmp), os.Mkdir(tmp, 0o755)); err != nil {
		unlockFile(lock)
		return nil, fmt.Errorf("open block store: %w", err)
	}
	return &Store{dir: dir, disk: s, lock: lock}, nil
}

// lockName is the file that the process locks which has the store open.
const lockName = "lock"

// InUse reports whether a live process has the store in dir open. It changes nothing, and
// dir need not be writable, nor exist.
func InUse(dir string) (bool, error) {
	used, err := locked(filepath.Join(dir, lockName))
	if err != nil {
		return false, fmt.Errorf("block store: %w", err)
	}
	return used, nil
}

// Close releases the store to the next Open. Blocks put after it fail.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return unlockFile(s.lock)
}

// path returns the path of the file of c, a CID that passed Check.
func (s *Store) path(c cid.Cid) string {
	name := c.String()
	return filepath.Join(s.dir, name[len(name)-2:], name)
}

// Get reads the block that c names and verifies it. A file whose bytes do not
// match is removed and counted, and Get returns [ErrDamaged]. A block that a peer sent
// lately is still in memory, and not read.
func (s *Store) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := Check(c); err != nil {
		return nil, fmt.Errorf("get block: %w", err)
	}
	if data, ok := s.remembered(c); ok {
		return data, nil
	}
	if data, ok := s.recent.get(c); ok {
		return data, nil
	}
	data, err := os.ReadFile(s.path(c))
	if errors.Is(err, fs.ErrNotExist) {
		return s.unseal(c)
	}
	if err != nil {
		return nil, fmt.Errorf("get block: %w", err)
	}
	if Verify(c, data) != nil {
		s.damaged.Add(1)
		if err := s.Delete(c); err != nil {
			return nil, fmt.Errorf("block %s: damaged, and not removed: %w", c, err)
		}
		return nil, fmt.Errorf("block %s: %w", c, ErrDamaged)
	}
	return data, nil
}

// Put writes data to its file, unless the file exists and holds data. A damaged
// file is replaced, for example one that a power cut left full of zeros.
func (s *Store) Put(ctx context.Context, codec Codec, data []byte) (cid.Cid, error) {
	if err := checkPut(codec, data); err != nil {
		return cid.Undef, err
	}
	c := Sum(codec, data)
	if err := s.put(ctx, c, data); err != nil {
		return cid.Undef, err
	}
	return c, nil
}

// PutNamed is [Store.Put] of data that a peer says c names. Of other data it stores
// nothing, and returns an error that wraps [ErrMismatch].
func (s *Store) PutNamed(ctx context.Context, c cid.Cid, data []byte) error {
	if err := Verify(c, data); err != nil {
		return err
	}
	if err := s.put(ctx, c, data); err != nil {
		return err
	}
	s.remember(c, data)
	return nil
}

// remember keeps a block in memory that a peer sent, unless it is secret: then its owner decides
// how long it is there. A block that was deleted meanwhile is forgotten again: who deletes a
// file drops the block afterwards.
func (s *Store) remember(c cid.Cid, data []byte) {
	if s.secret(c) {
		return
	}
	s.recent.add(c, data)
	if !s.Has(c) {
		s.recent.drop(c)
	}
}

// put stores the data that c names.
func (s *Store) put(ctx context.Context, c cid.Cid, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return fmt.Errorf("put block %s: %w", c, fs.ErrClosed)
	}
	for {
		if !s.hide(c, data) && !s.holds(c, data) {
			if err := s.write(s.path(c), data); err != nil {
				return fmt.Errorf("put block %s: %w", c, err)
			}
		}
		// A sweep may have deleted the file meanwhile: a block without an owner that was here
		// before, for example.
		if s.owners.stored(c, int64(len(data)), func() bool { return s.Has(c) }) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// holds reports whether the file of c holds exactly data.
func (s *Store) holds(c cid.Cid, data []byte) bool {
	f, err := os.Open(s.path(c))
	if err != nil {
		return false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() != int64(len(data)) {
		return false
	}
	// Comparing sizes is not enough: a file system may store a file's size before
	// its bytes.
	buf := make([]byte, min(len(data), 64<<10))
	for rest := data; len(rest) > 0; {
		n, err := io.ReadFull(f, buf[:min(len(buf), len(rest))])
		if err != nil || !bytes.Equal(buf[:n], rest[:n]) {
			return false
		}
		rest = rest[n:]
	}
	return true
}

// write creates the whole file or no file.
func (s *Store) write(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "put-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = os.Rename(f.Name(), path)
	if errors.Is(err, fs.ErrNotExist) { // the first block of its folder
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = os.Rename(f.Name(), path)
		}
	}
	return err
}

// Sync makes blocks durable: when Sync returns without an error, the blocks and
// their names survive a power cut. A block that is not stored is an error,
// [ErrNotFound].
func (s *Store) Sync(ctx context.Context, blocks []cid.Cid) error {
	files, dirs := map[string]bool{}, map[string]bool{s.dir: true}
	for _, c := range blocks {
		if err := Check(c); err != nil {
			return fmt.Errorf("sync block: %w", err)
		}
		if data, ok := s.remembered(c); ok {
			if err := s.seal(c, data); err != nil {
				return err
			}
		}
		path := s.path(c)
		if _, err := os.Lstat(s.sealedPath(c)); err == nil {
			path = s.sealedPath(c)
		}
		files[path], dirs[filepath.Dir(path)] = true, true
	}
	if !s.durable.Load() {
		dirs[filepath.Dir(filepath.Clean(s.dir))] = true
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := disk.SyncAll(s.disk, slices.Sorted(maps.Keys(files)), slices.Sorted(maps.Keys(dirs)))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sync blocks: %w: %w", ErrNotFound, err)
	}
	if err != nil {
		return fmt.Errorf("sync blocks: %w", err)
	}
	s.durable.Store(true)
	return nil
}

// Has reports whether the block is in the store. It does not verify the bytes.
func (s *Store) Has(c cid.Cid) bool {
	if Check(c) != nil {
		return false
	}
	if _, ok := s.remembered(c); ok {
		return true
	}
	for _, path := range []string{s.path(c), s.sealedPath(c)} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

// Delete loses the block, if it is in the store, whoever owns it: as damage of the
// disk does. A program that needs space calls [Store.Sweep].
func (s *Store) Delete(c cid.Cid) error {
	if err := Check(c); err != nil {
		return fmt.Errorf("delete block: %w", err)
	}
	s.forget(c)
	defer s.recent.drop(c)
	for _, path := range []string{s.path(c), s.sealedPath(c)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete block: %w", err)
		}
	}
	s.owners.lost(c)
	return nil
}

// Damaged returns how many blocks Get has found damaged since Open.
func (s *Store) Damaged() int64 { return s.damaged.Load() }

// Size returns the number of blocks in the store and the sum of their bytes.
func (s *Store) Size() (blocks int, bytes int64, err error) {
	err = s.each(func(c cid.Cid, file fs.FileInfo) error {
		blocks++
		bytes += file.Size()
		return nil
	})
	return blocks, bytes, err
}

// each calls f with every block's CID and file, in the order of the files. Files
// that are not named by a CID are ignored.
func (s *Store) each(f func(c cid.Cid, file fs.FileInfo) error) error {
	folders, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("list blocks: %w", err)
	}
	for _, folder := range folders {
		if !folder.IsDir() || len(folder.Name()) != 2 {
			continue
		}
		files, err := os.ReadDir(filepath.Join(s.dir, folder.Name()))
		if err != nil {
			return fmt.Errorf("list blocks: %w", err)
		}
		for _, file := range files {
			c, err := cid.Decode(file.Name())
			if err != nil || Check(c) != nil {
				continue
			}
			info, err := file.Info()
			if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
				continue
			}
			if err != nil {
				return fmt.Errorf("list blocks: %w", err)
			}
			if err := f(c, info); err != nil {
				return err
			}
		}
	}
	return nil
}
