package work

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// Finding is the result of recomputing one unit.
type Finding struct {
	Kind         unit.Kind
	Round, Index uint32
	Unit         block.Link
	Claimed      block.Link // CID of the result in the log
	Computed     block.Link // CID of the result here
	Same         bool
	// Tensor names the first tensor that differs, if the blocks of both results
	// are available.
	Tensor string
	// Detail says in words what differs; empty when nothing does.
	Detail string
}

// Verifier recomputes units and compares CIDs.
type Verifier struct {
	Worker *Worker
	Claims Claims
	// Report is called with every unit recomputed.
	Report func(Finding)
	// Earlier is called when the claims do not have the state that the first round asked
	// for begins with: from is the round before it from which on rounds are recomputed.
	// It may be nil.
	Earlier func(from, first int)
}

// ErrDiffers is returned when a recomputed unit differs from its claim.
var ErrDiffers = errors.New("the recomputed result differs from the claimed one")

// Rounds recomputes rounds first to last of a history, the logs of a run as
// [run.History] gives them. It begins at the nearest state before first that the
// claims still have, or at round 0, and stops with [ErrDiffers] after the first
// round in which a unit differs.
func (v *Verifier) Rounds(ctx context.Context, history []run.Round, first, last int) error {
	if first < 0 || last >= len(history) || first > last {
		return fmt.Errorf("rounds %d to %d: the log has 0 to %d", first, last, len(history)-1)
	}
	p, err := run.Open(ctx, v.Claims, history[0].Run)
	if err != nil {
		return err
	}
	r, from, err := v.start(ctx, p, history, first)
	if err != nil {
		return err
	}
	if r < first && v.Earlier != nil {
		v.Earlier(r, first)
	}
	for ; r <= last; r++ {
		begin := run.Beginning{State: from, Previous: history[r].Previous}
		if r > 0 {
			begin.Validations = history[r-1].Validations
		}
		if from, err = v.round(ctx, p, history[r], begin); err != nil {
			return fmt.Errorf("round %d: %w", r, err)
		}
	}
	return nil
}

// start finds the last round, first or before it, whose first state can be read.
// It returns the round and the state.
func (v *Verifier) start(ctx context.Context, p *run.Plan, history []run.Round, first int) (int, run.State, error) {
	for r := first; r > 0; r-- {
		from := history[r-1].After
		if v.has(ctx, from.Params) && v.has(ctx, from.M) && v.has(ctx, from.V) {
			return r, from, nil
		}
	}
	from, err := p.Begin(ctx, &Overlay{Claims: v.Claims})
	return 0, from, err
}

// has reports whether the claims have a set.
func (v *Verifier) has(ctx context.Context, l block.Link) bool {
	_, err := state.GetSet(ctx, v.Claims, l)
	return err == nil
}

// round recomputes one round and gives the state that it leaves.
func (v *Verifier) round(ctx context.Context, p *run.Plan, log run.Round, begin run.Beginning) (run.State, error) {
	o := &Overlay{Claims: v.Claims}
	if log.Number == 0 {
		if _, err := p.Begin(ctx, o); err != nil {
			return run.State{}, err
		}
	}
	differs := false
	mine, err := p.DoRound(ctx, o, int(log.Number), begin, func(ctx context.Context, phase run.Phase, units []unit.Unit) ([]run.Line, [][]block.Link, error) {
		lines := phase.Lines(log)
		outputs, d, err := v.units(ctx, o, units, lines)
		differs = differs || d
		return lines, outputs, err
	})
	switch {
	case err != nil:
		return run.State{}, err
	case differs:
		return mine.After, ErrDiffers
	}
	// The lines are the log's own, so a difference is in what follows from them.
	a, err := block.Encode(mine)
	if err != nil {
		return run.State{}, err
	}
	b, err := block.Encode(log)
	if err != nil {
		return run.State{}, err
	}
	if !bytes.Equal(a, b) {
		return mine.After, fmt.Errorf("the log's state, scores or validations do not follow from its units: %w", ErrDiffers)
	}
	return mine.After, v.keep(ctx, o, mine.After)
}

// keep has the worker remember the state for the next round. The overlay of this
// round ends with it, and the claims need not have the state.
func (v *Verifier) keep(ctx context.Context, o *Overlay, s run.State) error {
	v.Worker.sets = v.Worker.sets[:0]
	for _, l := range []block.Link{s.V, s.M, s.Params} {
		set, err := state.GetSet(ctx, o, l)
		if err != nil {
			return err
		}
		v.Worker.sets = remember(v.Worker.sets, any(l), set)
	}
	return nil
}

// units recomputes units, compares each with its line of the log, and gives the
// outputs computed here. It reports whether any differs.
func (v *Verifier) units(ctx context.Context, o *Overlay, units []unit.Unit, log []run.Line) (outputs [][]block.Link, differs bool, err error) {
	if len(units) != len(log) {
		return nil, false, fmt.Errorf("the plan has %d units, the log %d: %w", len(units), len(log), ErrDiffers)
	}
	for i, u := range units {
		f, result, err := v.Unit(ctx, o, u, log[i].Result)
		if err != nil {
			return nil, false, err
		}
		if f.Unit != log[i].Unit {
			f.Same, f.Detail = false, fmt.Sprintf("the log has unit %s here, the plan %s", log[i].Unit, f.Unit)
		} else if f.Same && log[i] != log[i].Of(u, f.Computed, result) {
			f.Same, f.Detail = false, "the log's line has other sums than the unit's result"
		}
		if err := result.Err(u); err != nil {
			return nil, false, err
		}
		v.Report(f)
		outputs, differs = append(outputs, result.Outputs), differs || !f.Same
	}
	return outputs, differs, nil
}

// Unit recomputes one unit and compares its result with a claimed CID. It reads
// inputs from b and writes outputs there; nil is a new [Overlay] of the claims.
func (v *Verifier) Unit(ctx context.Context, b block.Blocks, u unit.Unit, claimed block.Link) (Finding, unit.Result, error) {
	if b == nil {
		b = &Overlay{Claims: v.Claims}
	}
	f := Finding{Kind: u.Kind, Round: u.Round, Index: u.Index, Unit: u.ID(), Claimed: claimed}
	result, err := v.Worker.Do(ctx, b, u)
	if err != nil {
		return f, result, err
	}
	if f.Computed, err = block.PutNode(ctx, b, result); err != nil {
		return f, result, err
	}
	f.Same = f.Computed == claimed
	theirs, err := v.claimedResult(ctx, claimed)
	if err != nil {
		if !f.Same {
			f.Detail = err.Error()
		}
		return f, result, nil
	}
	// Equal CIDs are not the end: claimed blocks may be damaged on the disk.
	f.Tensor, f.Detail = v.compare(ctx, b, result, theirs)
	f.Same = f.Same && f.Detail == ""
	return f, result, nil
}

// claimedResult reads a result that the log claims.
func (v *Verifier) claimedResult(ctx context.Context, l block.Link) (unit.Result, error) {
	data, err := v.Claims.Get(ctx, l.Cid)
	if err != nil {
		return unit.Result{}, fmt.Errorf("claimed result: %w", err)
	}
	return unit.ParseResult(data)
}

// Trace recomputes the gradients of a unit, and reports each operation of their
// graphs: its hashed name, its row in the table of operations, and the digests of
// its outputs. The products that merge adapters and project gradients are of no graph, so
// they are not reported. It fails for kinds other than Gradient and LocalSteps.
func (v *Verifier) Trace(ctx context.Context, u unit.Unit, report func(tensor.Step)) error {
	if u.Kind != unit.Gradient && u.Kind != unit.LocalSteps {
		return fmt.Errorf("trace: a %s unit has no gradient: give a %s or %s unit", u.Kind, unit.Gradient, unit.LocalSteps)
	}
	in, err := v.Worker.lossInputs(ctx, &Overlay{Claims: v.Claims}, u)
	if err != nil {
		return err
	}
	engine := v.Worker.engine(in.record.Model())
	if u.Kind == unit.Gradient {
		return engine.Trace(v.Worker.whole(in, in.params), in.batches, in.key(0), report)
	}
	// Each local step begins where the last one ended, so each is taken.
	_, err = v.Worker.takeSteps(in, func(i int, params *tensor.Set, batches []nmt.Batch) (*tensor.Set, error) {
		if err := engine.Trace(v.Worker.whole(in, params), batches, in.key(i), report); err != nil {
			return nil, err
		}
		g, err := v.Worker.gradientAt(in, params, batches, i)
		return g.Grads, err
	})
	return err
}
