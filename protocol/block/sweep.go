package block

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
)

// Sweep deletes every block that no root reaches through links, and returns
// how many and how many bytes. Blocks put, or asked after with Has, since the
// Sweep before are spared: a writer puts the leaves before the node that links
// to them, and must not lose them in between. Links to blocks not held are
// passed over. Puts wait while it runs.
func (s *Store) Sweep(ctx context.Context, roots []cid.Cid) (removed int, freed int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := make(map[cid.Cid]struct{}, len(s.recent))
	queue := append([]cid.Cid(nil), roots...)
	for c := range s.recent { // order-free: marks a set
		queue = append(queue, c)
	}
	if err := s.mark(ctx, queue, keep); err != nil {
		return 0, 0, fmt.Errorf("sweep blocks: %w", err)
	}
	err = s.each(func(c cid.Cid, size int64) error {
		if _, ok := keep[c]; ok {
			return nil
		}
		if err := s.Delete(c); err != nil {
			return err
		}
		removed++
		freed += size
		return ctx.Err()
	})
	if err != nil {
		return removed, freed, fmt.Errorf("sweep blocks: %w", err)
	}
	clear(s.recent)
	return removed, freed, nil
}

// mark adds to keep everything that queue reaches.
func (s *Store) mark(ctx context.Context, queue []cid.Cid, keep map[cid.Cid]struct{}) error {
	for len(queue) > 0 {
		c := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if _, ok := keep[c]; ok {
			continue
		}
		keep[c] = struct{}{}
		if Check(c) != nil || Codec(c.Type()) != CBOR {
			continue
		}
		node, err := s.Get(ctx, c)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		links, err := Links(node)
		if err != nil {
			continue // a block put as CBOR that is not a node has no links
		}
		queue = append(queue, links...)
	}
	return nil
}
