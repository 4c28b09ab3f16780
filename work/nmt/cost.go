package nmt

import (
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// Meter gives the exact cost of what an [Engine] computes with parameters as
// [Config.Shapes] lists them. It computes nothing and needs no parameters.
//
// The cost of each row of the kernels' table is a sum of terms that are linear in
// the tokens of a side, or in the scores of an attention. So is the cost of a
// whole graph. A Meter plans the engine's own graphs, and takes the decoder's own
// steps on a device that computes nothing, for a few small batches. It solves for
// the coefficients, which then hold for every batch.
//
// A Meter does not change and is safe for concurrent use.
type Meter struct {
	gradient, loss, encode terms
	greedy, beam           terms // of a step: see Translation
	elements               uint64
}

// Sizes is what the cost of a batch depends on.
type Sizes struct {
	Source, Target uint64 // tokens: the sources' with EOS, the targets' with BOS or EOS
	// Self is the sum of the squares of the sources' lengths, Causal of the
	// targets', and Cross of the products of both.
	Self, Causal, Cross uint64
}

// SizesOf measures a batch. It fails on a batch that a model of c cannot take.
func SizesOf(c Config, b Batch) (Sizes, error) {
	if err := b.check(c); err != nil {
		return Sizes{}, err
	}
	var s Sizes
	for i := range b.Source {
		s.add(uint64(len(b.Source[i])+1), uint64(len(b.Target[i])+1))
	}
	return s, nil
}

// add adds a pair of sentences of so many tokens.
func (s *Sizes) add(source, target uint64) {
	s.Source, s.Target = s.Source+source, s.Target+target
	s.Self, s.Causal, s.Cross = s.Self+source*source, s.Causal+target*target, s.Cross+source*target
}

// terms are the coefficients of [Sizes], in that order, and what every graph
// costs besides.
type terms struct {
	fixed                               uint64
	source, target, self, causal, cross uint64
}

// of is the cost of a batch.
func (t terms) of(s Sizes) uint64 {
	return t.fixed + t.source*s.Source + t.target*s.Target + t.self*s.Self + t.causal*s.Causal + t.cross*s.Cross
}

// solve finds the terms from the costs of six batches of one pair of sentences.
func solve(cost func(source, target int) uint64) terms {
	c11, c21, c12, c31, c13, c22 := cost(1, 1), cost(2, 1), cost(1, 2), cost(3, 1), cost(1, 3), cost(2, 2)
	t := terms{self: (c31 + c11 - 2*c21) / 2, causal: (c13 + c11 - 2*c12) / 2, cross: c22 + c11 - c21 - c12}
	t.source = c21 - c11 - 3*t.self - t.cross
	t.target = c12 - c11 - 3*t.causal - t.cross
	t.fixed = c11 - t.source - t.target - t.self - t.causal - t.cross
	return t
}

// NewMeter returns a meter for models of configuration c, which must be valid.
func NewMeter(c Config) *Meter {
	shapes := c.Shapes()
	p := newMeasured(c, shapes)
	return &Meter{
		gradient: p.training(true), loss: p.training(false), encode: p.encoding(),
		greedy: p.steps(func(t int) { p.greedyStep(t, ints(make([]int32, 1), 1)) }),
		beam: p.steps(func(t int) {
			p.beamStep(t, floats(make([]float32, 1), 1), floats(make([]float32, 1), 1))
		}),
		elements: elements(shapes),
	}
}

// elements is the number of elements of all parameters.
func elements(shapes []ParamShape) (n uint64) {
	for _, s := range shapes {
		n += uint64((&kernel.Tensor{Shape: s.Dims}).Len())
	}
	return n
}

// Gradient is the cost of [Engine.Gradient] of batches of these sizes, of which
// there is at least one.
func (m *Meter) Gradient(batches ...Sizes) uint64 {
	cost := uint64(len(batches)-1) * m.elements // each after the first is added
	for _, s := range batches {
		cost += m.gradient.of(s)
	}
	return cost
}

// Loss is the cost of [Engine.Loss] of a batch of these sizes.
func (m *Meter) Loss(s Sizes) uint64 { return m.loss.of(s) }

// Translation is the cost of translating a sentence of source tokens, EOS
// included, in so many steps, 1 or more: by [Engine.Greedy] where width is 0, and
// else by [Engine.Beam] of that width whose steps but the first have live
// hypotheses. The other sentences of a call do not matter.
//
// Greedy takes a step for each token of the output and one for EOS, but for an
// output of the most tokens, which is not followed by EOS. How many steps
// Beam takes does not show in its output.
func (m *Meter) Translation(source, steps, width int) uint64 {
	var in, first, later Sizes
	in.add(uint64(source), 0)
	// Step i looks at source keys and at i of its own.
	s, n := uint64(source), uint64(steps)
	first.Source, first.Target = s, 1
	later.Source, later.Target = s*(n-1), n*(n+1)/2-1
	step, live := m.greedy, uint64(1)
	if width > 0 {
		step, live = m.beam, uint64(width)
	}
	cost := m.encode.of(in) + step.of(first)
	return cost + live*(step.fixed*(n-1)+step.source*later.Source+step.target*later.Target)
}

// measured is a model whose parameters have shapes alone.
type measured struct {
	config Config
	in     inputs
	params *tensor.Set
	decoder
}

func newMeasured(c Config, shapes []ParamShape) *measured {
	p := &measured{config: c, in: newInputs(idle{}, c, shapes), params: skeleton(shapes)}
	p.in.load(p.params)
	return p
}

// pair packs one pair of sentences of so many tokens, marks included.
func (p *measured) pair(source, target int) {
	p.in.pack([][]int32{make([]int32, source-1)}, [][]int32{make([]int32, target-1)})
}

// training measures the graph of a gradient, or of a loss alone.
func (p *measured) training(gradient bool) terms {
	p.pair(1, 1)
	t := newTrainingGraph(p.config, &p.in, gradient)
	return solve(func(source, target int) uint64 {
		p.pair(source, target)
		t.model.refresh()
		return t.model.g.Cost(t.outputs...)
	})
}

// encoding measures the graph of the encoder of a translation.
func (p *measured) encoding() terms {
	p.pair(1, 1)
	e := newEncodingGraph(p.config, &p.in)
	return solve(func(source, target int) uint64 {
		p.pair(source, target)
		e.model.refresh()
		return e.model.g.Cost(e.kv...)
	})
}

// steps measures the step of a search, whose cost for one hypothesis is linear in
// the tokens of the source and in the position.
func (p *measured) steps(step func(t int)) terms {
	d := &p.decoder
	d.lay(p.config, p.in.shapes)
	d.load(idle{}, p.config, p.params)
	return solve(func(source, position int) uint64 {
		p.pair(source, 1)
		d.begin(1, position, &p.in.source, p.in.positions)
		for i := range d.layers {
			memory := kernel.Tensor{Type: kernel.F32, Shape: []int{source, p.config.Dim}}
			d.layers[i].cross.keys, d.layers[i].cross.values = memory, memory
		}
		d.live, d.ids, d.cost = append(d.live, hypothesis{}), append(d.ids, 0), 0
		step(position - 1)
		return d.cost
	})
}

// idle is a device that computes nothing.
type idle struct{}

func (idle) Name() string                                           { return "idle" }
func (idle) Host() bool                                             { return true }
func (idle) Do(*kernel.Call)                                        {}
func (idle) Group([]kernel.Call)                                    {}
func (idle) Stage([]kernel.Call, []uint8, [][]int32, []kernel.Call) {}
