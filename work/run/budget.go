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
	tokens := uint64(c.BatchTokens) * uint64(max(batches, u.Batches()))
	return model.Estimate(u.Kind, p.Run.Model().Elements(), tokens)
}

// Budget is the most that the run may cost, in MFLOP: twice what its units are
// estimated at, with the translation of its test sets.
func (p *Plan) Budget() uint64 {
	var sum, validations uint64
	for r := range p.Rounds() {
		if p.Validates(r) {
			validations++
		}
		sum += uint64(p.Run.Config.Units) * p.Estimate(unit.Unit{Kind: p.Run.Kind(r)})
	}
	// A sentence counts an eighth of a full batch where it is evaluated, and a
	// quarter where it is translated: more than it takes.
	valid := uint64(len(p.Corpus.Valid)) * validations
	sum += valid * (p.Estimate(unit.Unit{Kind: unit.Evaluate})/8 + p.Estimate(unit.Unit{Kind: unit.Translate})/4)
	for _, t := range p.Corpus.Tests {
		sum += uint64(len(t.Pairs)) * p.Estimate(unit.Unit{Kind: unit.Translate}) / 4
	}
	return 2*sum + 1000
}
