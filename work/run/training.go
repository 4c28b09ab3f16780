package run

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// BlockStore is what a run needs of a block store. It deletes old states.
type BlockStore interface {
	block.Blocks
	Delete(c cid.Cid) error
}

// Training is a training run in progress.
type Training struct {
	Plan  *Plan
	Store BlockStore
	// Crew computes the units, but for those that combine and average: Home
	// computes these, beside the store that has their inputs.
	Crew, Home unit.Crew
	// Done is called with each round when the round's log is stored, before the
	// blocks that it replaces are deleted. An error of Done ends the run.
	Done func(Round, block.Link) error
}

// Run trains from the round after head, or from the beginning when head is zero,
// to the end of the plan. It returns the log of the last round. A run may be
// stopped at any moment: run again from the last log that Done was called with,
// it ends with the same parameters. Where it cannot go on with a unit's result, the
// error is a [unit.OutputError] that names the unit: with that unit done again, run
// again.
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
	// The last round has the result: patience may end a run before its plan does.
	for r := next; !last.Result.Defined(); r++ {
		begin := Beginning{State: from, Validations: last.Validations, Previous: head}
		round, err := t.Plan.DoRound(ctx, t.Store, r, begin, t.do)
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
		if err := t.prune(ctx, round, begin); err != nil {
			return Round{}, fmt.Errorf("round %d: %w", r, err)
		}
		last, head, from = round, link, round.After
	}
	return last, nil
}

// do has the units of a phase done, by the crew or at home.
func (t *Training) do(ctx context.Context, p Phase, units []unit.Unit) ([]Line, [][]block.Link, error) {
	crew := t.Crew
	if p == Combining || p == Averaging {
		crew = t.Home
	}
	return linesOf(ctx, crew, units)
}

// linesOf has units done by a crew, and gives their log lines and outputs.
func linesOf(ctx context.Context, crew unit.Crew, units []unit.Unit) ([]Line, [][]block.Link, error) {
	outcomes, err := crew.Do(ctx, units)
	if err != nil {
		return nil, nil, err
	}
	lines, outs := make([]Line, len(units)), make([][]block.Link, len(units))
	for i, o := range outcomes {
		if err := o.Result.Err(units[i]); err != nil {
			return nil, nil, &unit.OutputError{Unit: units[i], Output: -1, Err: err}
		}
		if err := unit.Fits(units[i], o.Result); err != nil {
			return nil, nil, &unit.OutputError{Unit: units[i], Output: -1, Proven: true, Err: err}
		}
		lines[i] = Line{Miner: o.Miner, Effort: o.Effort}.Of(units[i], o.Link, o.Result)
		outs[i] = o.Result.Outputs
	}
	return lines, outs, nil
}
