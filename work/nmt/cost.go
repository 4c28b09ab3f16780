package nmt

import (
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// Meter returns the exact cost of what an [Engine] computes with parameters that
// [Config.Shapes] lists. It needs no parameters and computes no tensors.
//
// The cost of each operation is a sum of terms that are linear in the number of source or
// target tokens, or in the number of attention scores. So is the cost of a whole graph. A
// Meter makes the engine's own graphs, and takes the decoder's own steps on a device that
// computes nothing, for a few small batches. From their costs it finds the coefficients,
// which hold for every batch.
//
// A Meter does not change and is safe for concurrent use.
type Meter struct {
	gradient, loss, encode terms
	greedy, beam           terms // of one hypothesis' step: see Step
	start                  terms // of the pass over Form.Start, in front of the first step
	elements               uint64
	writable               int  // tokens that may follow a beginning without ending it
	bare                   bool // no EOS follows a source
}

// Sizes is the numbers that the cost of a batch depends on.
type Sizes struct {
	Source, Target uint64 // tokens: of sources with EOS, of targets with BOS or EOS
	// Self is the sum of the squares of the sources' lengths, Causal the same of the
	// targets, and Cross the sum of the products of both lengths of each pair.
	Self, Causal, Cross uint64
}

// SizesOf returns the sizes of a batch. It returns an error for tokens or lengths that a model
// of c does not take.
func SizesOf(c Config, b Batch) (Sizes, error) {
	if err := b.check(c); err != nil {
		return Sizes{}, err
	}
	var s Sizes
	for i := range b.Source {
		s.add(uint64(c.SourceLength(len(b.Source[i]))), uint64(len(b.Target[i])+1+c.lead()))
	}
	return s, nil
}

// add adds one pair of sentences with the given numbers of tokens.
func (s *Sizes) add(source, target uint64) {
	s.Source, s.Target = s.Source+source, s.Target+target
	s.Self, s.Causal, s.Cross = s.Self+source*source, s.Causal+target*target, s.Cross+source*target
}

// terms are the coefficients of [Sizes], and the part of the cost that does not depend on the
// batch.
type terms struct {
	fixed                               uint64
	source, target, self, causal, cross uint64
}

// of is the cost of a batch.
func (t terms) of(s Sizes) uint64 {
	return t.fixed + t.source*s.Source + t.target*s.Target + t.self*s.Self + t.causal*s.Causal + t.cross*s.Cross
}

// solve finds the terms from the costs of six batches, each of one pair of sentences with the
// given numbers of tokens.
func solve(cost func(source, target int) uint64) terms {
	c11, c21, c12, c31, c13, c22 := cost(1, 1), cost(2, 1), cost(1, 2), cost(3, 1), cost(1, 3), cost(2, 2)
	// Second differences give the quadratic terms, then first differences the linear ones.
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
	m := &Meter{
		encode: p.encoding(), bare: c.BareSource,
		greedy: p.steps(func(t int) { p.greedyStep(t, ints(make([]int32, 1), 1)) }),
		beam: p.steps(func(t int) {
			p.beamStep(t, floats(make([]float32, 1), 1), floats(make([]float32, 1), 1))
		}),
		elements: elements(shapes), writable: c.writable(),
	}
	if c.Recurrent {
		m.loss = p.forced()
	} else {
		m.gradient, m.loss = p.training(true), p.training(false)
	}
	if c.Start != 0 {
		m.start = p.steps(func(int) { p.advance(0) })
	}
	return m
}

// writable is the number of tokens but the marks.
func (c Config) writable() int {
	n, marks := 0, c.Tokens()
	for id := range int32(c.Vocab) {
		if !marks.is(id) {
			n++
		}
	}
	return n
}

// elements is the number of elements of all parameters.
func elements(shapes []ParamShape) (n uint64) {
	for _, s := range shapes {
		n += uint64((&kernel.Tensor{Shape: s.Dims}).Len())
	}
	return n
}

// Gradient is the cost of [Engine.Gradient] for batches of these sizes, at least one.
func (m *Meter) Gradient(batches ...Sizes) uint64 {
	cost := uint64(len(batches)-1) * m.elements // each after the first is added
	for _, s := range batches {
		cost += m.gradient.of(s)
	}
	return cost
}

// Loss is the cost of [Engine.Loss] for a batch of these sizes.
func (m *Meter) Loss(s Sizes) uint64 { return m.loss.of(s) }

// Step is the cost of step i, at least 1, of the search for the translation of a sentence of
// source tokens, EOS included. Width 0 is [Engine.Greedy], and any other [Engine.Beam] with
// this width. The first step has one hypothesis and each later one has width. In a vocabulary
// of fewer than width tokens beside the marks and the banned, a beam may have fewer: see Width.
func (m *Meter) Step(source, i, width int) uint64 {
	step, live := m.greedy, uint64(1)
	if width > 0 {
		step = m.beam
		if i > 1 {
			live = uint64(width)
		}
	}
	return live * (step.fixed + step.source*uint64(m.read(source)) + step.target*uint64(i))
}

// read is the number of tokens that an encoder reads of a source of the given number, EOS included.
func (m *Meter) read(source int) int {
	if m.bare && source > 1 {
		return source - 1
	}
	return source
}

// Translation is the cost of translating a sentence of source tokens, EOS included, in the
// given number of steps, at least 1, with a width as in Step. The other sentences of a call do
// not matter.
func (m *Meter) Translation(source, steps, width int) uint64 {
	var in Sizes
	in.add(uint64(m.read(source)), 0)
	cost := m.encode.of(in) + m.start.of(in) + m.Step(source, 1, width)
	// The later steps cost an arithmetic series.
	if later := uint64(steps - 1); later > 0 {
		cost += later * (m.Step(source, 2, width) + m.Step(source, steps, width)) / 2
	}
	return cost
}

// Steps is the fewest and the most steps of a search whose output has length tokens where
// limit are allowed. Greedy takes one step for each token of the output and one for EOS. An
// output that ends at the limit has no step for EOS. A beam goes on until width hypotheses
// have ended, which cannot be seen in its output; its first step ends at most one.
func Steps(length, limit, width int) (least, most int) {
	switch {
	case length >= limit:
		return limit, limit
	case width <= 1:
		return length + 1, length + 1
	}
	return min(limit, max(length+1, 2)), limit
}

// Width is the fewest hypotheses in each step but the first of a search with this width, where
// a step bans at most banned tokens: see [Repeats.Most]. A step has at least one.
func (m *Meter) Width(width, banned int) int { return min(width, max(1, m.writable-banned)) }

// measured is a model whose parameters have shapes but no storage. Its batches have no
// Form.Start, so that a target may have one row; the decoder has.
type measured struct {
	config Config
	whole  Config // with Form.Start
	in     inputs
	params *tensor.Set
	decoder
}

func newMeasured(c Config, shapes []ParamShape) *measured {
	p := &measured{config: c, whole: c, params: skeleton(shapes)}
	p.config.Start = 0
	p.in = newInputs(idle{}, p.config, shapes)
	p.in.load(p.params)
	return p
}

// pair packs one pair of sentences with the given numbers of tokens, special tokens included.
func (p *measured) pair(source, target int) {
	n := source - 1
	if p.config.SourceLength(source) == source {
		n = source
	}
	p.in.pack([][]int32{make([]int32, n)}, [][]int32{make([]int32, target-1)})
}

// training measures the graph of a gradient, or only of a loss.
func (p *measured) training(gradient bool) terms {
	p.pair(1, 1)
	t := newTrainingGraph(p.config, &p.in, gradient)
	return solve(func(source, target int) uint64 {
		p.pair(source, target)
		t.model.refresh()
		return t.model.g.Cost(t.outputs...)
	})
}

// forced measures the loss of a decoder with SSRUs. Its steps all cost the same.
func (p *measured) forced() terms {
	encode := p.encoding()
	step := p.steps(func(t int) { p.forceStep(t, 0, make([]int32, 1)) })
	sums := p.steps(func(int) { p.sum([]float32{0}); p.sum([]float32{0}) })
	return solve(func(source, target int) uint64 {
		var in Sizes
		in.add(uint64(source), 0)
		return encode.of(in) + uint64(target)*(step.fixed+step.source*uint64(source)+step.target+sums.fixed+sums.source+sums.target)
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

// steps measures one step of a search. For one hypothesis its cost is linear in the number of
// source tokens and in the position.
func (p *measured) steps(step func(t int)) terms {
	d := &p.decoder
	d.layOut(p.config, p.in.shapes)
	d.load(idle{}, p.whole, p.params)
	return solve(func(source, position int) uint64 {
		p.pair(source, 1)
		d.begin(1, position+p.whole.lead(), &p.in.source, p.in.positions)
		for i := range d.layers {
			// The encoder's keys and values, as encode would leave them.
			memory := kernel.Tensor{Type: kernel.F32, Shape: []int{source, p.config.Dim}}
			d.layers[i].cross.keys, d.layers[i].cross.values = memory, memory
		}
		d.live, d.ids, d.cost = append(d.live, hypothesis{}), append(d.ids, 0), 0
		step(position - 1)
		return d.cost
	})
}

// idle is a device that ignores its calls.
type idle struct{}

func (idle) Name() string                                           { return "idle" }
func (idle) Host() bool                                             { return true }
func (idle) Do(*kernel.Call)                                        {}
func (idle) Group([]kernel.Call)                                    {}
func (idle) Stage([]kernel.Call, []uint8, [][]int32, []kernel.Call) {}
