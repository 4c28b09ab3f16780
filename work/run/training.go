package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// sorted lists blocks in an order: any one, always the same.
func sorted[V any](blocks map[cid.Cid]V) []cid.Cid {
	return slices.SortedFunc(maps.Keys(blocks), func(a, b cid.Cid) int { return bytes.Compare(a.Bytes(), b.Bytes()) })
}

// Training is a training run in progress.
type Training struct {
	Plan  *Plan
	Store block.Keeper
	// Crew computes the units, but for those that combine and average: Home
	// computes these, beside the store that has their inputs.
	Crew, Home unit.Crew
	// Done is called with each round when the round's log is stored. An error of
	// Done ends the run.
	Done func(Round, block.Link) error
	// Keep makes blocks durable, and then records the log of a round as the head of
	// the run, durably. The blocks are those that the run needs to continue after
	// that round, the logs since the last head, and at first the run's record and corpus. After Keep, the run no longer owns
	// what only the last head needed. An error of Keep ends the run. Keep is nil for a
	// run that need not survive the process.
	Keep func(ctx context.Context, head block.Link, blocks []cid.Cid) error
	// Due reports whether the round is to become the head, which takes time; nil
	// makes every round the head. A round after which a checkpoint stays, the last
	// round, and the last one before Run returns are made the head in any case.
	Due func(Round) bool
	// Sweep is called after each round: it deletes blocks that no one owns, such as the
	// state before the round. It is nil where no block is deleted.
	Sweep func(ctx context.Context) error
	// AllCheckpoints keeps every checkpoint of the run. Otherwise those stay that an
	// audit of the last [AuditTime] needs.
	AllCheckpoints bool

	head, last  Round            // of the newest head and of the newest round
	link        block.Link       // the log of last
	logs        []cid.Cid        // of the rounds after head
	durable     map[cid.Cid]bool // blocks of the head that this Training made durable
	checkpoints checkpoints      // that stay after last
}

// Run trains from the round after head, or from the beginning when head is zero,
// to the end of the plan. It returns the log of the last round. A run may be
// stopped at any moment: call Run again with the last head that Keep received, and
// the run ends with the same parameters. If a unit's result stops the run, the error
// is a [unit.OutputError] that names the unit: have that unit computed again, and
// call Run again.
func (t *Training) Run(ctx context.Context, head block.Link) (Round, error) {
	if err := t.ownRecord(ctx); err != nil {
		return Round{}, fmt.Errorf("begin run: %w", err)
	}
	from, err := t.Plan.Begin(ctx, t.Plan.Working(t.Store))
	if err != nil {
		return Round{}, fmt.Errorf("begin run: %w", err)
	}
	next := 0
	t.head, t.last, t.link, t.checkpoints = Round{}, Round{}, head, nil
	if head.Defined() {
		history, err := History(ctx, t.Store, head)
		if err != nil {
			return Round{}, fmt.Errorf("resume run: %w", err)
		}
		t.last = history[len(history)-1]
		if t.last.Run != t.Plan.Link {
			return Round{}, fmt.Errorf("resume run: log %s is of run %s, not %s", head, t.last.Run, t.Plan.Link)
		}
		from, next = t.last.After, int(t.last.Number)+1
		t.head = t.last
		t.checkpoints = checkpointsOf(history, t.Plan.Run.Config.Checkpoint, t.AllCheckpoints)
		if err := t.checkpoints.own(ctx, t.Store, t.Plan.Link); err != nil {
			return Round{}, fmt.Errorf("resume run: %w", err)
		}
	}
	// The last round has the result: patience may end a run before its plan does.
	for r := next; !t.last.Result.Defined(); r++ {
		if err := t.round(ctx, r, Beginning{State: from, Validations: t.last.Validations, Previous: t.link}); err != nil {
			// What was done is not done again.
			return Round{}, errors.Join(fmt.Errorf("round %d: %w", r, err), t.keep(context.WithoutCancel(ctx)))
		}
		from = t.last.After
	}
	return t.last, nil
}

// round trains one round.
func (t *Training) round(ctx context.Context, r int, begin Beginning) error {
	blocks := t.Plan.Working(t.Store)
	round, err := t.Plan.DoRound(ctx, blocks, r, begin, t.do)
	if err != nil {
		return err
	}
	link, err := block.PutNode(ctx, blocks, round)
	if err != nil {
		return err
	}
	if err := t.Done(round, link); err != nil {
		return err
	}
	t.last, t.link, t.logs = round, link, append(t.logs, link.Cid)
	if err := t.own(ctx); err != nil {
		return err
	}
	if t.Due == nil || round.Result.Defined() || t.checkpoints.has(round) || t.Due(round) {
		if err := t.keep(ctx); err != nil {
			return err
		}
	}
	return t.sweep(ctx)
}

// keep makes the last round the head, unless it is.
func (t *Training) keep(ctx context.Context) error {
	if len(t.logs) == 0 {
		return nil
	}
	logs := t.logs
	t.logs = nil // also where this fails: it is not tried twice
	if err := t.secure(ctx, t.link, t.last, logs); err != nil {
		return err
	}
	before := t.head
	t.head = t.last
	t.releaseResults(before)
	return t.release(ctx)
}

// secure has Keep make durable what the run needs after a round, and logs, and note
// the round's log as the head.
func (t *Training) secure(ctx context.Context, head block.Link, r Round, logs []cid.Cid) error {
	if t.Keep == nil {
		return nil
	}
	stays, err := setBlocks(ctx, t.Store, r.Needs(t.Plan.Run.Config)...)
	if err != nil {
		return err
	}
	for _, l := range r.Needs(t.Plan.Run.Config) {
		if !stays[l.Cid] {
			return fmt.Errorf("set %s, which the run needs after round %d: %w", l, r.Number, block.ErrNotFound)
		}
	}
	blocks := slices.Clone(logs)
	if t.durable == nil {
		// A home needs the record to know what the run needs.
		record, err := block.Reachable(ctx, t.Store, t.Plan.Link.Cid)
		if err != nil {
			return err
		}
		blocks = append(blocks, sorted(record)...)
	}
	for _, c := range sorted(stays) {
		if !t.durable[c] {
			blocks = append(blocks, c)
		}
	}
	if err := t.Keep(ctx, head, blocks); err != nil {
		return err
	}
	t.durable = stays
	return nil
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
