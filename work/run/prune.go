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
// the round began with, unless it is a checkpoint, one every Config.Checkpoint
// rounds, and parameters that no longer can be averaged. At a checkpoint prune
// also deletes the outputs of the units before the last checkpoint. A verifier
// that misses a state computes it again from the checkpoint before.
func (t *Training) prune(ctx context.Context, r Round, begin Beginning) error {
	// Equal leaves of two sets are one block: a block of a set that stays is kept.
	kept := map[cid.Cid]bool{}
	for _, l := range slices.Concat([]block.Link{r.After.Params, r.After.M, r.After.V, r.After.Update, r.Result}, r.Validations.Recent, r.Validations.Kept) {
		if err := t.blocks(ctx, l, func(c cid.Cid) error { kept[c] = true; return nil }); err != nil {
			return err
		}
	}
	drop := func(links ...block.Link) error {
		for _, l := range links {
			err := t.blocks(ctx, l, func(c cid.Cid) error {
				if kept[c] {
					return nil
				}
				return t.Store.Delete(c)
			})
			if err != nil {
				return err
			}
		}
		return nil
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
			if err != nil {
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

// blocks calls f for the blocks of a set: its record and the leaves that the
// record names. It does nothing where the record is not in the store.
func (t *Training) blocks(ctx context.Context, l block.Link, f func(cid.Cid) error) error {
	if !l.Defined() {
		return nil
	}
	node, err := t.Store.Get(ctx, l.Cid)
	if errors.Is(err, block.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	links, err := block.Links(node)
	if err != nil {
		return err
	}
	for _, c := range append(links, l.Cid) {
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}
