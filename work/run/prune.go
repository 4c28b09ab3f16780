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

// prune lets go of the state round r began with, unless it is a checkpoint:
// one every Config.Checkpoint rounds. At a checkpoint it lets go of the
// deltas before the last one. What a verifier needs and does not find it
// recomputes from the checkpoint before. Parameters that may be averaged stay
// as long as they may; before is the progress the round began with.
func (t *Training) prune(ctx context.Context, r Round, from State, before Validations) error {
	kept := map[cid.Cid]bool{}
	for _, l := range slices.Concat([]block.Link{r.After.Params, r.After.M, r.After.V, r.After.Update, r.Result}, r.Validations.Recent, r.Validations.Kept) {
		if err := t.blocks(ctx, l, func(c cid.Cid) error { kept[c] = true; return nil }); err != nil {
			return err
		}
	}
	drop := func(l block.Link) error {
		return t.blocks(ctx, l, func(c cid.Cid) error {
			if kept[c] {
				return nil
			}
			return t.Store.Delete(c)
		})
	}
	for _, l := range slices.Concat(before.Recent, before.Kept) {
		if !r.Validations.holds(l) && l != from.Params {
			if err := drop(l); err != nil {
				return err
			}
		}
	}
	every := t.Plan.Run.Config.Checkpoint
	if r.Number%every != 0 {
		for _, l := range []block.Link{from.Params, from.M, from.V, from.Update} {
			if err := drop(l); err != nil {
				return err
			}
		}
		return nil
	}
	old := r
	for old.Previous.Defined() && old.Number+2*every > r.Number {
		var err error
		if old, err = ReadRound(ctx, t.Store, old.Previous); err != nil {
			return err
		}
		if old.Number+every > r.Number {
			continue
		}
		for _, e := range old.Lines {
			data, err := t.Store.Get(ctx, e.Result.Cid)
			if err != nil {
				return fmt.Errorf("result of round %d: %w", old.Number, err)
			}
			result, err := unit.ParseResult(data)
			if err != nil {
				return err
			}
			for _, l := range result.Outputs {
				if err := drop(l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// blocks calls f for the blocks of a set, if its record is there.
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
