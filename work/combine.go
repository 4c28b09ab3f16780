package work

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// combine computes a [unit.Combine] unit.
func (w *Worker) combine(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	record, err := run.Read(ctx, b, u.Work)
	if err != nil {
		return unit.Result{}, err
	}
	s, err := w.modelState(ctx, b, u, record)
	if err != nil {
		return unit.Result{}, err
	}
	round := int(u.Round)
	from, err := contributions(ctx, b, u.Inputs[3:], record.Config.Local(round))
	if err != nil {
		return unit.Result{}, err
	}
	cost := train.CombineCost(s.Params, len(from))
	step, err := train.Combine(w.dev, record.Config, record.Config.Position(round, int(record.Steps)), &s, from, round)
	if err != nil {
		return unit.Result{}, refused(err, len(u.Inputs)-3, len(from))
	}
	// A state with a NaN would have other bits elsewhere, so it is a defect.
	next := []*tensor.Set{s.Params, s.M, s.V}
	for _, set := range next {
		if !set.Finite() {
			return unit.Result{}, fmt.Errorf("%w: the state after the round", nmt.ErrNonFinite)
		}
	}
	// The next round begins with these sets, so the worker keeps them.
	r := unit.Result{Cost: cost}
	for _, set := range next {
		l, err := state.PutSet(ctx, b, set)
		if err != nil {
			return unit.Result{}, err
		}
		w.sets = remember(w.sets, any(l), set)
		r.Outputs = append(r.Outputs, l)
	}
	update, err := run.PutDelta(ctx, b, step)
	r.Outputs = append(r.Outputs, update)
	return r, err
}

// modelState reads the state that a combine begins with. The combine writes to
// its sets, so the worker forgets them under their old names.
func (w *Worker) modelState(ctx context.Context, b block.Blocks, u unit.Unit, record run.Record) (s train.ModelState, err error) {
	if s.Params, err = w.set(ctx, b, u.Inputs[0], record.Trained()); err != nil {
		return s, err
	}
	if s.M, err = w.set(ctx, b, u.Inputs[1], record.Trained()); err != nil {
		return s, err
	}
	if s.V, err = w.moment(ctx, b, u.Inputs[2], record, s.Params, int(u.Round)); err != nil {
		return s, err
	}
	for _, in := range u.Inputs[:3] {
		w.sets = forget(w.sets, any(in))
	}
	// One set may be several inputs: both moments are zeros at the beginning.
	if s.M == s.Params {
		s.M = s.M.Clone()
	}
	if s.V == s.Params || s.V == s.M {
		s.V = s.V.Clone()
	}
	return s, nil
}

// contributions reads the outputs of a round's units. Each unit gave a delta,
// and where it took local steps a second moment too.
func contributions(ctx context.Context, b block.Blocks, outputs []block.Link, local bool) ([]train.Contribution, error) {
	each := unit.Gradient.Outputs()
	if local {
		each = unit.LocalSteps.Outputs()
	}
	if len(outputs)%each != 0 {
		return nil, fmt.Errorf("%d outputs, want a multiple of %d, the outputs of each unit", len(outputs), each)
	}
	var from []train.Contribution
	input := 3 // of the unit, after the state
	for out := range slices.Chunk(outputs, each) {
		var c train.Contribution
		var err error
		if c.Delta, err = run.GetDelta(ctx, b, out[0]); err != nil {
			return nil, &unit.InputError{Input: input, Err: err}
		}
		if local {
			if c.V, err = state.GetSet(ctx, b, out[1]); err != nil {
				return nil, &unit.InputError{Input: input + 1, Err: fmt.Errorf("second moment: %w", err)}
			}
		}
		from = append(from, c)
		input += each
	}
	return from, nil
}

// refused names the input whose contribution a combine refused. The combine had
// contributions contributions from inputs inputs.
func refused(err error, inputs, contributions int) error {
	var c *train.ContributionError
	if !errors.As(err, &c) {
		return err
	}
	input := 3 + c.Index*(inputs/contributions)
	if c.Moment {
		input++
	}
	return &unit.InputError{Input: input, Err: err}
}

// average computes a [unit.Average] unit.
func (w *Worker) average(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	record, err := run.Read(ctx, b, u.Work)
	if err != nil {
		return unit.Result{}, err
	}
	sets := make([]*tensor.Set, len(u.Inputs))
	for i, in := range u.Inputs {
		if sets[i], err = w.set(ctx, b, in, record.Model()); err != nil {
			return unit.Result{}, err
		}
	}
	mean, err := train.Mean(w.dev, sets)
	if err != nil {
		return unit.Result{}, err
	}
	if !mean.Finite() { // sums overflow where the parameters do not
		return unit.Result{}, fmt.Errorf("%w: the mean of %d sets of parameters", nmt.ErrNonFinite, len(sets))
	}
	out, err := state.PutSet(ctx, b, mean)
	return unit.Result{Outputs: []block.Link{out}, Cost: uint64(len(sets)+1) * uint64(mean.Elements())}, err
}
