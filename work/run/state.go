package run

import (
	"context"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/train"
)

// State names the sets of tensors that a round begins with: see
// [train.ModelState].
type State struct {
	_            struct{} `cbor:",toarray"`
	Params, M, V block.Link
	// Base is the parameters of the round before, and Update the quantised update
	// from Base to Params. Both are zero before the first round.
	Base, Update block.Link
}

// Begin stores the state that a run begins with.
func (p *Plan) Begin(ctx context.Context, b block.Blocks) (State, error) {
	s := train.Start(p.Run.Config, nmt.Init(p.Run.Model(), p.Run.Config.Seed))
	var begin State
	var err error
	if begin.Params, err = state.PutSet(ctx, b, s.Params); err != nil {
		return begin, err
	}
	if begin.M, err = state.PutSet(ctx, b, s.M); err != nil {
		return begin, err
	}
	begin.V, err = state.PutSet(ctx, b, s.V)
	return begin, err
}
