package block

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/ipfs/go-cid"
)

// Sealer encrypts blocks for the disk.
type Sealer interface {
	Seal(data []byte) ([]byte, error)
	Unseal(sealed []byte) ([]byte, error)
}

// secrets is the blocks of a store that never lie on the disk as they are: in memory, and
// after [Store.Sync] in sealed files.
type secrets struct {
	mu     sync.Mutex // guards the fields below
	of     func(owner string) bool
	sealer Sealer
	memory map[cid.Cid][]byte
}

// ErrSealed is wrapped by the error of Get for a block that this process cannot unseal. It
// is an [ErrNotFound].
var ErrSealed = fmt.Errorf("the block is sealed, and its key is not here: %w", ErrNotFound)

// Hide has the blocks of some owners kept secret: of says of which. A block that is put when
// such an owner has pinned it stays in memory, until its last owner leaves. Sync writes it to
// the disk, sealed; there it stays until [Store.DeleteSealed]. Without a sealer nothing is
// written, and Sync of a secret block fails. A block that lies on the disk already is no secret.
func (s *Store) Hide(of func(owner string) bool, sealer Sealer) {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	s.secrets.of, s.secrets.sealer = of, sealer
}

// sealedDir is the folder of the sealed files. Its name is no end of a CID.
const sealedDir = "sealed"

func (s *Store) sealedPath(c cid.Cid) string { return filepath.Join(s.dir, sealedDir, c.String()) }

// secret reports whether an owner of a block wants it secret.
func (s *Store) secret(c cid.Cid) bool {
	s.secrets.mu.Lock()
	of := s.secrets.of
	s.secrets.mu.Unlock()
	return of != nil && s.OwnedBy(c, of)
}

// hide keeps a block in memory if an owner wants it secret, and reports whether it did.
func (s *Store) hide(c cid.Cid, data []byte) bool {
	if !s.secret(c) {
		return false
	}
	if _, err := os.Lstat(s.path(c)); err == nil {
		return false
	}
	if _, err := s.unseal(c); err == nil { // one that is damaged is sealed anew
		return true
	}
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	if s.secrets.memory == nil {
		s.secrets.memory = map[cid.Cid][]byte{}
	}
	if s.secrets.memory[c] == nil {
		s.secrets.memory[c] = slices.Clone(data)
	}
	return true
}

// remembered is a block in memory. A block without bytes is none.
func (s *Store) remembered(c cid.Cid) (data []byte, ok bool) {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	data, ok = s.secrets.memory[c]
	return slices.Clone(data), ok
}

// forget drops a block from memory.
func (s *Store) forget(c cid.Cid) (was bool) {
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	_, was = s.secrets.memory[c]
	delete(s.secrets.memory, c)
	return was
}

// unseal reads a block from its sealed file.
func (s *Store) unseal(c cid.Cid) ([]byte, error) {
	sealed, err := os.ReadFile(s.sealedPath(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("block %s: %w", c, ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("get block: %w", err)
	}
	s.secrets.mu.Lock()
	sealer := s.secrets.sealer
	s.secrets.mu.Unlock()
	if sealer == nil {
		return nil, fmt.Errorf("block %s: %w", c, ErrSealed)
	}
	data, err := sealer.Unseal(sealed)
	if err != nil { // under another key, or damaged: nobody can tell
		return nil, fmt.Errorf("block %s: %w (%w)", c, ErrSealed, err)
	}
	if Verify(c, data) != nil {
		return nil, fmt.Errorf("block %s: %w", c, ErrDamaged)
	}
	return data, nil
}

// seal writes the sealed file of a block that is in memory, and takes the block from there.
func (s *Store) seal(c cid.Cid, data []byte) error {
	s.secrets.mu.Lock()
	sealer := s.secrets.sealer
	s.secrets.mu.Unlock()
	if sealer == nil {
		return fmt.Errorf("sync block %s: %w", c, ErrSealed)
	}
	sealed, err := sealer.Seal(data)
	if err != nil {
		return fmt.Errorf("sync block %s: %w", c, err)
	}
	if err := os.MkdirAll(filepath.Join(s.dir, sealedDir), 0o700); err != nil {
		return fmt.Errorf("sync block: %w", err)
	}
	if err := s.write(s.sealedPath(c), sealed); err != nil {
		return fmt.Errorf("sync block %s: %w", c, err)
	}
	s.forget(c)
	return nil
}

// DeleteSealed deletes the sealed files of blocks without an owner, such as those that a
// crash left. Call it when every owner has its blocks pinned.
func (s *Store) DeleteSealed(ctx context.Context) (deleted int, err error) {
	files, err := os.ReadDir(filepath.Join(s.dir, sealedDir))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("delete sealed blocks: %w", err)
	}
	for _, f := range files {
		c, err := cid.Decode(f.Name())
		if err != nil || Check(c) != nil || s.OwnedBy(c, func(string) bool { return true }) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return deleted, err
		}
		if err := os.Remove(s.sealedPath(c)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return deleted, fmt.Errorf("delete sealed blocks: %w", err)
		}
		s.owners.lost(c)
		deleted++
	}
	return deleted, nil
}

// Unseal has a reader read sealed files, too.
func (r *Reader) Unseal(sealer Sealer) { r.store.secrets.sealer = sealer }
