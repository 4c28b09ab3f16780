package run

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
)

// State names the sets of tensors that a round begins with: see
// [train.ModelState]. In a run that trains adapters, these stand for the parameters.
type State struct {
	_            struct{} `cbor:",toarray"`
	Params, M, V block.Link
	// Base is the parameters of the round before, and Update the quantised update
	// from Base to Params. Both are zero before the first round.
	Base, Update block.Link
}

// Begin stores the state that a run begins with.
func (p *Plan) Begin(ctx context.Context, b block.Blocks) (State, error) {
	params, err := p.first(ctx, b)
	if err != nil {
		return State{}, err
	}
	if p.Run.Config.LoRA > 0 {
		params = p.Run.adapters().Init(p.Run.Config.Seed)
	}
	s := train.Start(p.Run.Config, params)
	var begin State
	if begin.Params, err = state.PutSet(ctx, b, s.Params); err != nil {
		return begin, err
	}
	if begin.M, err = state.PutSet(ctx, b, s.M); err != nil {
		return begin, err
	}
	begin.V, err = state.PutSet(ctx, b, s.V)
	return begin, err
}

// first is the parameters of the model that a run begins with: those of its base, or what the
// seed gives.
func (p *Plan) first(ctx context.Context, b block.Blocks) (*tensor.Set, error) {
	c := p.Run.Model()
	if len(p.Run.Base) == 0 {
		return nmt.Init(c, p.Run.Config.Seed), nil
	}
	params, err := state.GetSetLike(ctx, b, p.Run.BaseParams(), c.Skeleton())
	if err == nil && !params.Finite() {
		err = nmt.ErrNonFinite // no unit of the run would have a result
	}
	if err != nil {
		return nil, fmt.Errorf("parameters of model %s, with which the run begins: %w", p.Run.Base[0], err)
	}
	return params, nil
}

// merged stores the parameters of the model that the trained set of a round gives, and returns
// their link: the set itself, unless it is adapters. Like the first parameters, these follow
// from the record and the log, so everyone makes them alike, and no unit does it.
func (p *Plan) merged(ctx context.Context, b block.Blocks, trained block.Link) (block.Link, error) {
	if p.Run.Config.LoRA == 0 {
		return trained, nil
	}
	params, err := p.first(ctx, b)
	if err != nil {
		return block.Link{}, err
	}
	adapters, err := state.GetSet(ctx, b, trained)
	if err == nil {
		err = p.Run.adapters().Check(adapters)
	}
	if err != nil {
		return block.Link{}, fmt.Errorf("adapters %s: %w", trained, err)
	}
	dev, err := kernel.Open("", 1)
	if err != nil {
		return block.Link{}, err
	}
	params = train.Merge(dev, params, adapters, nil)
	if !params.Finite() {
		return block.Link{}, fmt.Errorf("%w: the parameters with adapters %s", nmt.ErrNonFinite, trained)
	}
	return state.PutSet(ctx, b, params)
}
