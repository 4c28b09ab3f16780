package run

import (
	"context"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/train"
)

// Checkpoint names the state a round begins with.
type State struct {
	_            struct{} `cbor:",toarray"`
	Params, M, V block.Link
	// Base and Update lead to Params from the parameters of the round
	// before; zero before the first round.
	Base, Update block.Link
}

// Begin stores the state a run begins with.
func (p *Plan) Begin(ctx context.Context, b block.Blocks) (State, error) {
	s := train.Start(p.Run.Config, nmt.Init(p.Run.Model(), p.Run.Config.Seed))
	var c State
	var err error
	if c.Params, err = state.PutSet(ctx, b, s.Params); err != nil {
		return c, err
	}
	if c.M, err = state.PutSet(ctx, b, s.M); err != nil {
		return c, err
	}
	c.V, err = state.PutSet(ctx, b, s.V)
	return c, err
}
