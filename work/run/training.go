package run

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// Store is what a run needs of the block store: to let go of old states too.
type BlockStore interface {
	block.Blocks
	Delete(c cid.Cid) error
}

// Training is a run in progress.
type Training struct {
	Plan  *Plan
	Store BlockStore
	// Crew does gradients and evaluations, Home the combines.
	Crew, Home unit.Crew
	// Done is told of each round when its log is stored, before anything it
	// replaces is let go. Its error ends the run.
	Done func(Round, block.Link) error
}

// Run trains from the round after head, or from the beginning when head is
// zero, to the end of the plan, and returns the last round's log. Stopped at
// any moment and run again from the last head that Done was told of, it ends
// in the same parameters.
func (t *Training) Run(ctx context.Context, head block.Link) (Round, error) {
	from, err := t.Plan.Begin(ctx, t.Store)
	if err != nil {
		return Round{}, fmt.Errorf("begin run: %w", err)
	}
	next := 0
	var last Round
	if head.Defined() {
		if last, err = ReadRound(ctx, t.Store, head); err != nil {
			return Round{}, fmt.Errorf("resume run: %w", err)
		}
		if last.Run != t.Plan.Link {
			return Round{}, fmt.Errorf("resume run: log %s is of run %s, not %s", head, last.Run, t.Plan.Link)
		}
		from, next = last.After, int(last.Number)+1
	}
	for r := next; !last.Result.Defined(); r++ {
		round, err := t.Plan.DoRound(ctx, t.Store, r, from, last.Validations, head, t.do)
		if err != nil {
			return Round{}, fmt.Errorf("round %d: %w", r, err)
		}
		link, err := block.PutNode(ctx, t.Store, round)
		if err != nil {
			return Round{}, fmt.Errorf("round %d: %w", r, err)
		}
		if err := t.Done(round, link); err != nil {
			return Round{}, fmt.Errorf("round %d: %w", r, err)
		}
		if err := t.prune(ctx, round, from, last.Validations); err != nil {
			return Round{}, fmt.Errorf("round %d: %w", r, err)
		}
		last, head, from = round, link, round.After
	}
	return last, nil
}

// do has the units of one part of a round done by whom it falls to.
func (t *Training) do(ctx context.Context, p Phase, units []unit.Unit) ([]Line, [][]block.Link, error) {
	crew := t.Crew
	if p == Combining || p == Averaging {
		crew = t.Home
	}
	return entriesOf(ctx, crew, units)
}

// entriesOf has units done and gives their log lines and outputs.
func entriesOf(ctx context.Context, crew unit.Crew, units []unit.Unit) ([]Line, [][]block.Link, error) {
	outcomes, err := crew.Do(ctx, units)
	if err != nil {
		return nil, nil, err
	}
	entries, outs := make([]Line, len(units)), make([][]block.Link, len(units))
	for i, o := range outcomes {
		if err := o.Result.Err(units[i]); err != nil {
			return nil, nil, err
		}
		if err := unit.Fits(units[i], o.Result); err != nil {
			return nil, nil, err
		}
		entries[i] = Line{Miner: o.Miner, Effort: o.Effort}.Of(units[i], o.Link, o.Result)
		outs[i] = o.Result.Outputs
	}
	return entries, outs, nil
}
