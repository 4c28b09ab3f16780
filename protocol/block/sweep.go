package block

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ipfs/go-cid"
)

// Swept counts the blocks that a sweep kept and those that it deleted.
type Swept struct {
	Kept, Deleted           int
	KeptBytes, DeletedBytes int64
}

// Reachable returns the CIDs of the roots and of every block that a chain of
// links leads to from a root. Blocks that are not in the store end a chain: a training
// run deletes old states on purpose, while its logs still name them. Raw
// blocks hold no links and are not read, so a CID in the answer need not be
// held.
//
// A damaged node is an error, [ErrDamaged]: its links are unknown, so the
// answer would be too small.
func (r *Reader) Reachable(ctx context.Context, roots []cid.Cid) (map[cid.Cid]struct{}, error) {
	seen := make(map[cid.Cid]struct{}, len(roots))
	// The stack is explicit because the logs of a run form one long chain.
	stack := append([]cid.Cid(nil), roots...)
	for len(stack) > 0 {
		c := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if _, ok := seen[c]; ok {
			continue
		}
		seen[c] = struct{}{}
		if Codec(c.Type()) != CBOR {
			continue
		}
		node, err := r.Get(ctx, c)
		// ErrDamaged is an ErrNotFound too, so it is asked for first.
		if errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return nil, err
		}
		links, err := Links(node)
		if err != nil {
			return nil, fmt.Errorf("block %s: %w", c, err)
		}
		stack = append(stack, links...)
	}
	return seen, nil
}

// Bytes returns the sum of the sizes of those blocks of the set that are in the store.
func (r *Reader) Bytes(set map[cid.Cid]struct{}) (int64, error) {
	var sum int64
	err := r.store.each(func(c cid.Cid, size int64) error {
		if _, ok := set[c]; ok {
			sum += size
		}
		return nil
	})
	return sum, err
}

// Unreachable counts what [Store.Sweep] would keep and delete. It deletes nothing.
func (r *Reader) Unreachable(ctx context.Context, roots []cid.Cid) (Swept, error) {
	return r.sweep(ctx, roots, func(cid.Cid) error { return nil })
}

// Sweep deletes every block that no root leads to. The store is locked while it
// is open, so no other process can put a block that the sweep would miss;
// within this process, nothing else may use the store meanwhile. A sweep that
// is interrupted has deleted some of the blocks, none of them needed.
func (s *Store) Sweep(ctx context.Context, roots []cid.Cid) (Swept, error) {
	r := &Reader{Store{dir: s.dir}}
	return r.sweep(ctx, roots, func(c cid.Cid) error {
		if err := os.Remove(s.path(c)); err != nil {
			return fmt.Errorf("sweep blocks: %w", err)
		}
		return nil
	})
}

// sweep calls remove with every block that no root leads to.
func (r *Reader) sweep(ctx context.Context, roots []cid.Cid, remove func(cid.Cid) error) (Swept, error) {
	needed, err := r.Reachable(ctx, roots)
	if err != nil {
		return Swept{}, fmt.Errorf("sweep blocks: %w", err)
	}
	var out Swept
	err = r.store.each(func(c cid.Cid, size int64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, ok := needed[c]; ok {
			out.Kept++
			out.KeptBytes += size
			return nil
		}
		if err := remove(c); err != nil {
			return err
		}
		out.Deleted++
		out.DeletedBytes += size
		return nil
	})
	return out, err
}
