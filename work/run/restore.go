package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// Needs returns the sets that a run of configuration c needs to continue after the
// round: the state that the round left, and the parameters that may become part of the
// model. After its last round a run needs only its result.
func (r Round) Needs(c train.Config) []block.Link {
	if r.Result.Defined() {
		return []block.Link{r.Result}
	}
	links := slices.Concat(r.After.sets(), r.Validations.useful(c))
	return slices.DeleteFunc(links, func(l block.Link) bool { return !l.Defined() })
}

// Missing returns those of the sets that are not in the store, whole and unchanged.
func Missing(ctx context.Context, b block.Blocks, sets []block.Link) ([]block.Link, error) {
	var missing []block.Link
	for _, l := range sets {
		whole, err := isWhole(ctx, b, l)
		if err != nil {
			return nil, err
		}
		if !whole && !slices.Contains(missing, l) {
			missing = append(missing, l)
		}
	}
	return missing, nil
}

// isWhole reports whether a set's record and all its leaves are in the store.
func isWhole(ctx context.Context, b block.Blocks, l block.Link) (bool, error) {
	node, err := b.Get(ctx, l.Cid)
	var leaves []cid.Cid
	if err == nil {
		leaves, err = block.Links(node)
	}
	for _, leaf := range leaves {
		if err == nil {
			_, err = b.Get(ctx, leaf)
		}
	}
	if errors.Is(err, block.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Restore computes the missing sets again: sets that the last round of a history
// needs and the store has lost. It starts from the nearest earlier state in the
// store. It uses the results that the logs name, and has a unit computed again only
// if its result is missing. Every set gets the CID that the logs say. Then Restore
// calls Keep with the log of the last round, head.
func (t *Training) Restore(ctx context.Context, head block.Link, history []Round, missing []block.Link) error {
	last := history[len(history)-1]
	t.head, t.last = last, last // what the last round needs is not deleted
	t.durable = nil             // what is computed again is durable no more
	t.checkpoints = checkpointsOf(history, t.Plan.Run.Config.Checkpoint, t.AllCheckpoints)
	err := t.ownRecord(ctx)
	if err == nil {
		err = t.checkpoints.own(ctx, t.Store, t.Plan.Link)
	}
	if err == nil {
		err = t.release(ctx) // and own what is here
	}
	if err == nil {
		err = t.restore(ctx, history, missing)
	}
	if err != nil {
		return fmt.Errorf("restore run: %w", err)
	}
	still, err := Missing(ctx, t.Store, missing)
	if err == nil && len(still) > 0 {
		err = fmt.Errorf("%d sets are still missing, the first of them %s", len(still), still[0])
	}
	if err == nil {
		err = t.secure(ctx, head, last, []cid.Cid{head.Cid})
	}
	if err != nil {
		return fmt.Errorf("restore run: %w", err)
	}
	return nil
}

// restore computes sets again: first the states that rounds left, then their mean.
func (t *Training) restore(ctx context.Context, history []Round, missing []block.Link) error {
	last := history[len(history)-1]
	var rounds []int // in which the missing sets were made
	average := false
	for _, l := range missing {
		r := slices.IndexFunc(history, func(r Round) bool {
			return l == r.After.Params || l == r.After.M || l == r.After.V || l == r.After.Update || l == t.Plan.validated(r)
		})
		switch {
		case r >= 0:
			rounds = append(rounds, r)
		case l == last.Result && len(last.Final) == 1:
			average = true
		default:
			return fmt.Errorf("no round of the log made set %s", l)
		}
	}
	if average { // the parameters that are averaged may be missing too
		more, err := Missing(ctx, t.Store, last.Validations.Kept)
		if err != nil {
			return err
		}
		if len(more) > 0 {
			if err := t.restore(ctx, history, more); err != nil {
				return err
			}
		}
		u := t.Plan.Average(last.Validations.Kept)
		if err := t.again(ctx, t.Home, []unit.Unit{u}, last.Final, nil); err != nil {
			return err
		}
	}
	slices.Sort(rounds)
	for _, r := range slices.Compact(rounds) {
		if err := t.replay(ctx, history, r); err != nil {
			return err
		}
		// Of an old round the run needs the parameters, and not the moments.
		if err := t.release(ctx); err != nil {
			return err
		}
	}
	return nil
}

// replay computes again the state that a round left. It gives up again the states
// between that one and the state that it began from, but for the checkpoints.
func (t *Training) replay(ctx context.Context, history []Round, round int) error {
	start := round
	for ; start > 0; start-- {
		s := history[start-1].After
		missing, err := Missing(ctx, t.Plan.Working(t.Store), []block.Link{s.Params, s.M, s.V})
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			break
		}
	}
	// Results that are still here need not be computed again.
	owner := Owner(t.Plan.Link) + "/replay"
	defer t.Store.Unpin(owner)
	for _, log := range history[start : round+1] {
		for _, l := range log.Lines {
			err := block.PinTree(ctx, t.Store, owner, l.Result.Cid)
			if err != nil && !errors.Is(err, block.ErrDamaged) { // computed again below
				return err
			}
		}
	}
	from, err := t.Plan.Begin(ctx, t.Plan.Working(t.Store))
	if err != nil {
		return err
	}
	for r := start; r <= round; r++ {
		if r > 0 {
			from = history[r-1].After
		}
		if err := t.redo(ctx, history[r], from); err != nil {
			return fmt.Errorf("round %d: %w", r, err)
		}
		after := history[r].After
		if t.checkpoints.has(history[r]) {
			if err := t.checkpoints.own(ctx, t.Store, t.Plan.Link); err != nil {
				return err
			}
		}
		sets := after.sets()
		if r == round && t.Plan.Validates(r) {
			params, err := t.Plan.merged(ctx, t.Plan.Working(t.Store), after.Params)
			if err != nil {
				return fmt.Errorf("round %d: %w", r, err)
			}
			sets = append(sets, params)
		}
		needed, err := setBlocks(ctx, t.Store, sets...)
		if err != nil {
			return err
		}
		if err := t.sweep(ctx, sorted(needed)...); err != nil {
			return err
		}
	}
	return nil
}

// validated is the parameters that were validated after a round, where the run validates then.
func (p *Plan) validated(r Round) block.Link {
	if recent := r.Validations.Recent; p.Validates(int(r.Number)) && len(recent) > 0 {
		return recent[len(recent)-1]
	}
	return block.Link{}
}

// redo computes again the state that a round left.
func (t *Training) redo(ctx context.Context, log Round, from State) error {
	units, err := t.Plan.Units(ctx, t.Plan.Working(t.Store), int(log.Number), from)
	if err != nil {
		return err
	}
	outputs := make([][]block.Link, len(units))
	if err := t.again(ctx, t.Crew, units, log.Lines, outputs); err != nil {
		return err
	}
	combine := t.Plan.Combine(int(log.Number), from, outputs)
	return t.again(ctx, t.Home, []unit.Unit{combine}, []Line{log.Combine}, nil)
}

// again gives the outputs of units that the lines of a log are of. Units of a crew
// whose results are whole in the store are not computed again; outputs nil asks for
// the outputs themselves, and computes them.
func (t *Training) again(ctx context.Context, crew unit.Crew, units []unit.Unit, lines []Line, outputs [][]block.Link) error {
	if len(units) != len(lines) {
		return fmt.Errorf("the plan has %d units, the log %d", len(units), len(lines))
	}
	var redo []unit.Unit
	var at []int
	for i, u := range units {
		if u.ID() != lines[i].Unit {
			return fmt.Errorf("the log has unit %s in the place of unit %s", lines[i].Unit, u.ID())
		}
		if outputs != nil {
			var err error
			if outputs[i], err = t.outputs(ctx, lines[i].Result); err != nil {
				return err
			}
			if outputs[i] != nil {
				continue
			}
		}
		redo, at = append(redo, u), append(at, i)
	}
	if len(redo) == 0 {
		return nil
	}
	got, outs, err := linesOf(ctx, crew, redo)
	if err != nil {
		return err
	}
	for k, i := range at {
		if got[k].Result != lines[i].Result {
			return fmt.Errorf("unit %s gives %s, the log says %s", lines[i].Unit, got[k].Result, lines[i].Result)
		}
		if outputs != nil {
			outputs[i] = outs[k]
		}
	}
	return nil
}

// outputs returns the outputs of a result, or nil when one of them, or the result,
// is not whole in the store.
func (t *Training) outputs(ctx context.Context, result block.Link) ([]block.Link, error) {
	data, err := t.Store.Get(ctx, result.Cid)
	if errors.Is(err, block.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	r, err := unit.ParseResult(data)
	if err != nil {
		return nil, err
	}
	missing, err := Missing(ctx, t.Store, r.Outputs)
	if err != nil || len(missing) > 0 {
		return nil, err
	}
	return r.Outputs, nil
}
