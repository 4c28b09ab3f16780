package run

import "github.com/alia-network/alia/work/unit"

// Estimate is about what a unit of the run costs, in MFLOP, known before it
// is computed: two operations for each parameter and token forward, four
// backward. What is paid for is the exact cost, which the result has. A unit
// without inputs stands for a full one of its kind.
func (p *Plan) Estimate(u unit.Unit) uint64 {
	var params uint64
	for _, s := range p.Run.Model().Shapes() {
		n := uint64(1)
		for _, d := range s.Dims {
			n *= uint64(d)
		}
		params += n
	}
	c := p.Run.Config
	tokens := uint64(c.BatchTokens)
	switch full := uint64(c.Accumulate); u.Kind {
	case unit.Gradient:
		tokens *= max(full, uint64(max(len(u.Inputs), 1)-1))
	case unit.LocalSteps:
		tokens *= max(full*uint64(c.LocalSteps), uint64(max(len(u.Inputs), 2)-2))
	}
	factor := map[unit.Kind]uint64{unit.Gradient: 6, unit.LocalSteps: 6, unit.Evaluate: 2, unit.Translate: 4, unit.Combine: 1, unit.Average: 1}[u.Kind]
	return max(1, factor*params*tokens/1_000_000)
}

// Budget is the most the run may cost, in MFLOP: twice what its units are
// estimated at, the translation of its test sets included.
func (p *Plan) Budget() uint64 {
	var sum, validations uint64
	for r := range p.Rounds() {
		if p.Validates(r) {
			validations++
		}
		kind := unit.Gradient
		if p.Run.Config.Local(r) {
			kind = unit.LocalSteps
		}
		sum += uint64(p.Run.Config.Units) * p.Estimate(unit.Unit{Kind: kind})
	}
	valid := uint64(len(p.Corpus.Valid)) * validations
	sum += valid * (p.Estimate(unit.Unit{Kind: unit.Evaluate})/8 + p.Estimate(unit.Unit{Kind: unit.Translate})/4)
	for _, t := range p.Corpus.Tests {
		sum += uint64(len(t.Pairs)) * p.Estimate(unit.Unit{Kind: unit.Translate}) / 4
	}
	return 2*sum + 1000
}
