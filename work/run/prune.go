package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// prune deletes the blocks that round r made superfluous. These are the state that
// the round began with, unless it is a checkpoint or the head's, and parameters that
// no longer can be averaged. At a checkpoint prune also deletes the outputs of the
// units before the last checkpoint. A verifier that misses a state computes it again
// from the checkpoint before.
func (t *Training) prune(ctx context.Context, r Round, begin Beginning) error {
	drop, err := t.dropper(ctx)
	if err != nil {
		return err
	}
	for _, l := range slices.Concat(begin.Recent, begin.Kept) {
		if !r.Validations.needs(l) && l != begin.Params {
			if err := drop(l); err != nil {
				return err
			}
		}
	}
	if r.Number%t.Plan.Run.Config.Checkpoint != 0 {
		return drop(begin.Params, begin.M, begin.V, begin.Update)
	}
	return t.pruneOutputs(ctx, r, drop)
}

// pruneHead deletes what only the head before needed: prune left it.
func (t *Training) pruneHead(ctx context.Context, before Round) error {
	drop, err := t.dropper(ctx)
	if err != nil {
		return err
	}
	links := slices.Concat(before.Validations.Recent, before.Validations.Kept)
	links = slices.DeleteFunc(links, func(l block.Link) bool { return l == before.After.Params })
	if !t.checkpoint(before) {
		a := before.After
		links = append(links, a.Params, a.M, a.V, a.Update)
	}
	return drop(links...)
}

// dropper returns a function that deletes sets, but for the blocks of those that
// stay with the head or with the last round. Equal leaves of two sets are one block.
func (t *Training) dropper(ctx context.Context) (func(...block.Link) error, error) {
	kept, err := t.sets(ctx, slices.Concat(t.head.stays(), t.last.stays())...)
	if err != nil {
		return nil, err
	}
	return func(links ...block.Link) error {
		dropped, err := t.sets(ctx, links...)
		if err != nil {
			return err
		}
		for c := range dropped { // order-free: all are deleted
			if kept[c] {
				continue
			}
			if err := t.Store.Delete(c); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// pruneOutputs drops the outputs of the units between the last two checkpoints
// before round r, which is a checkpoint.
func (t *Training) pruneOutputs(ctx context.Context, r Round, drop func(...block.Link) error) error {
	every := t.Plan.Run.Config.Checkpoint
	for old := r; old.Previous.Defined() && old.Number+2*every > r.Number; {
		var err error
		if old, err = ReadRound(ctx, t.Store, old.Previous); err != nil {
			return err
		}
		if old.Number+every > r.Number {
			continue // after the last checkpoint: a verifier reads these
		}
		for _, line := range old.Lines {
			data, err := t.Store.Get(ctx, line.Result.Cid)
			if errors.Is(err, block.ErrNotFound) {
				continue // results are not made durable: a power cut took this one
			} else if err != nil {
				return fmt.Errorf("result of round %d: %w", old.Number, err)
			}
			result, err := unit.ParseResult(data)
			if err != nil {
				return err
			}
			if err := drop(result.Outputs...); err != nil {
				return err
			}
		}
	}
	return nil
}

// sets returns the blocks of sets: their records, and the leaves that the records
// name. A set whose record is not in the store has none.
func (t *Training) sets(ctx context.Context, links ...block.Link) (map[cid.Cid]bool, error) {
	blocks := map[cid.Cid]bool{}
	for _, l := range links {
		if !l.Defined() || blocks[l.Cid] {
			continue
		}
		node, err := t.Store.Get(ctx, l.Cid)
		if errors.Is(err, block.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		leaves, err := block.Links(node)
		if err != nil {
			return nil, err
		}
		blocks[l.Cid] = true
		for _, c := range leaves {
			blocks[c] = true
		}
	}
	return blocks, nil
}
