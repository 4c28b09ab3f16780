package work

import (
	"context"
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

func (w *Worker) combine(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	record, err := run.Read(ctx, b, u.Work)
	if err != nil {
		return unit.Result{}, err
	}
	var s train.ModelState
	for i, at := range []**tensor.Set{&s.Params, &s.M} {
		if *at, err = w.set(ctx, b, u.Inputs[i], record.Model()); err != nil {
			return unit.Result{}, err
		}
	}
	round := int(u.Round)
	if s.V, err = w.moment(ctx, b, u.Inputs[2], record, s.Params, round); err != nil {
		return unit.Result{}, err
	}
	from, err := contributions(ctx, b, u.Inputs[3:], record.Config.Local(round))
	if err != nil {
		return unit.Result{}, err
	}
	for _, in := range u.Inputs[:3] { // what was the state is no longer
		w.sets = forget(w.sets, any(in))
	}
	if s.M == s.Params { // one set under two names, which are written to
		s.M = s.M.Clone()
	}
	if s.V == s.Params || s.V == s.M { // as both moments are at the beginning
		s.V = s.V.Clone()
	}
	cost := train.CombineCost(s.Params, len(from))
	step, err := train.Combine(w.dev, record.Config, record.Config.Position(round, int(record.Steps)), &s, from, round)
	if err != nil {
		return unit.Result{}, err
	}
	for _, set := range []*tensor.Set{s.Params, s.M, s.V} {
		if !set.Finite() {
			return unit.Result{}, fmt.Errorf("%w: the state after the round", nmt.ErrNonFinite)
		}
	}
	r := unit.Result{Cost: cost}
	for _, set := range []*tensor.Set{s.Params, s.M, s.V} {
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

// contributions reads the outputs of a round's units: of each a delta, and
// when they walked a second moment.
func contributions(ctx context.Context, b block.Blocks, outputs []block.Link, walked bool) ([]train.Contribution, error) {
	each := 1
	if walked {
		each = 2
	}
	if len(outputs)%each != 0 {
		return nil, fmt.Errorf("%d outputs of units that give %d each", len(outputs), each)
	}
	var from []train.Contribution
	for out := range slices.Chunk(outputs, each) {
		var c train.Contribution
		var err error
		if c.Delta, err = run.GetDelta(ctx, b, out[0]); err != nil {
			return nil, err
		}
		if walked {
			if c.V, err = state.GetSet(ctx, b, out[1]); err != nil {
				return nil, fmt.Errorf("second moment: %w", err)
			}
		}
		from = append(from, c)
	}
	return from, nil
}

// average does an Average unit.
func (w *Worker) average(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	run, err := run.Read(ctx, b, u.Work)
	if err != nil {
		return unit.Result{}, err
	}
	sets := make([]*tensor.Set, len(u.Inputs))
	for i, in := range u.Inputs {
		if sets[i], err = w.set(ctx, b, in, run.Model()); err != nil {
			return unit.Result{}, err
		}
	}
	mean, err := train.Mean(w.dev, sets)
	if err != nil {
		return unit.Result{}, err
	}
	out, err := state.PutSet(ctx, b, mean)
	return unit.Result{Outputs: []block.Link{out}, Cost: uint64(len(sets)+1) * uint64(mean.Elements())}, err
}
