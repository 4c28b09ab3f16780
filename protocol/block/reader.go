package block

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ipfs/go-cid"
)

// Reader reads a store that another process may have open, and changes nothing
// in the store. A verifier uses it.
type Reader struct{ store Store }

// OpenReadOnly returns a reader of the store in dir.
func OpenReadOnly(dir string) (*Reader, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("open block store: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("open block store: %s is not a directory", dir)
	}
	return &Reader{Store{dir: dir}}, nil
}

// Inspect returns the bytes stored for c, even if they do not match c.
func (r *Reader) Inspect(c cid.Cid) ([]byte, error) {
	if err := Check(c); err != nil {
		return nil, fmt.Errorf("inspect block: %w", err)
	}
	data, err := os.ReadFile(r.store.path(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("block %s: %w", c, ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("inspect block: %w", err)
	}
	return data, nil
}

// Get returns the block that c names. The error wraps [ErrDamaged] when the
// stored bytes do not match c.
func (r *Reader) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	data, err := r.Inspect(c)
	if errors.Is(err, ErrNotFound) {
		data, err = r.store.unseal(c)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && Verify(c, data) != nil {
		err = fmt.Errorf("block %s: %w", c, ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Put always fails: a reader changes nothing.
func (r *Reader) Put(context.Context, Codec, []byte) (cid.Cid, error) {
	return cid.Undef, errors.New("put block: the store is open for reading only")
}
