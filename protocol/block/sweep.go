package block

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/ipfs/go-cid"
)

// walk calls found with each root and each block that a chain of links leads to from
// a root, once. found is called before the block is read, and for a raw block,
// which has no links, instead. A CBOR block that is not in the store ends a chain.
func walk(ctx context.Context, b Blocks, roots []cid.Cid, found func(cid.Cid)) error {
	seen := make(map[cid.Cid]struct{}, len(roots))
	// The stack is explicit because the logs of a run form one long chain.
	stack := slices.Clone(roots)
	var damaged error
	for len(stack) > 0 {
		c := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if _, ok := seen[c]; ok {
			continue
		}
		seen[c] = struct{}{}
		found(c)
		if Codec(c.Type()) != CBOR {
			continue
		}
		node, err := b.Get(ctx, c)
		switch {
		case errors.Is(err, ErrDamaged): // which is an ErrNotFound too
			damaged = err
			continue
		case errors.Is(err, ErrNotFound):
			continue
		case err != nil:
			return err
		}
		links, err := Links(node)
		if err != nil {
			return fmt.Errorf("block %s: %w", c, err)
		}
		stack = append(stack, links...)
	}
	return damaged
}

// Reachable returns the CIDs of the roots and of every block that a chain of
// links leads to from a root. A CID in the answer need not be held.
//
// A damaged node is an error, [ErrDamaged]: its links are unknown, so the
// answer would be too small.
func Reachable(ctx context.Context, b Blocks, roots ...cid.Cid) (map[cid.Cid]struct{}, error) {
	all := map[cid.Cid]struct{}{}
	if err := walk(ctx, b, roots, func(c cid.Cid) { all[c] = struct{}{} }); err != nil {
		return nil, err
	}
	return all, nil
}

// Bytes returns the sum of the sizes of those blocks of the set that are in the store.
func (r *Reader) Bytes(set map[cid.Cid]struct{}) (int64, error) {
	var sum int64
	err := r.store.each(func(c cid.Cid, file fs.FileInfo) error {
		if _, ok := set[c]; ok {
			sum += file.Size()
		}
		return nil
	})
	return sum, err
}

// Pin implements [Keeper]. Owners are in memory: a program pins, when it opens a
// store, what its other files say that it needs.
func (s *Store) Pin(owner string, blocks ...cid.Cid) bool {
	for _, c := range s.owners.pin(owner, blocks) {
		if !s.Has(c) {
			return false
		}
	}
	return true
}

// Unpin implements [Keeper].
func (s *Store) Unpin(owner string, keep ...cid.Cid) { s.owners.unpin(owner, keep, s.forget) }

// OwnedBy reports whether a block has an owner for whom match reports true. match
// must not use the store.
func (s *Store) OwnedBy(c cid.Cid, match func(owner string) bool) bool {
	return s.owners.ownedBy(c, match)
}

// Survey looks at the files of the store: from now on, Sweep also deletes blocks of
// earlier processes. Call it when every owner from an earlier process has its
// blocks pinned. The older a file, the older its block.
func (s *Store) Survey() error {
	type found struct {
		cid  cid.Cid
		file fs.FileInfo
	}
	var all []found
	err := s.each(func(c cid.Cid, file fs.FileInfo) error {
		all = append(all, found{c, file})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b found) int { return a.file.ModTime().Compare(b.file.ModTime()) })
	for _, f := range all {
		s.owners.stored(f.cid, f.file.Size(), func() bool { return s.Has(f.cid) })
	}
	return nil
}

// Usage counts the blocks that this process has put or pinned, and after Survey all
// blocks.
func (s *Store) Usage() Usage { return s.owners.used() }

// Sweep implements [Keeper]. Blocks that earlier processes put, and that have no
// owner, stay until Survey is called.
func (s *Store) Sweep(ctx context.Context, spare int64) (Swept, error) {
	return s.owners.sweep(ctx, spare, func(c cid.Cid) error {
		defer s.recent.drop(c)
		if err := os.Remove(s.path(c)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}
