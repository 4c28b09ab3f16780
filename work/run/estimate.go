package run

import (
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/unit"
)

// Estimate is the approximate cost of a unit of the run, in MFLOP, known before the
// unit is computed; see [model.Estimate]. What is paid is the exact cost, which
// the result has. A unit without inputs stands for a full one of its kind.
func (p *Plan) Estimate(u unit.Unit) uint64 {
	c := p.Run.Config
	batches := 1
	switch u.Kind {
	case unit.Gradient:
		batches = int(c.Accumulate)
	case unit.LocalSteps:
		batches = int(c.Accumulate * c.LocalSteps)
	}
	elements := p.Run.Model().Elements()
	if u.Kind == unit.Combine { // which sees nothing of the model but what is trained
		elements = p.Run.Trained().Elements()
	}
	tokens := uint64(c.BatchTokens) * uint64(max(batches, u.Batches()))
	return model.Estimate(u.Kind, elements, tokens)
}
