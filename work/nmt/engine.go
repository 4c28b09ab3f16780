package nmt

import (
	"errors"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// ErrNonFinite says that a result holds a NaN or an infinity. The numeric
// specification gives such a unit of work no bytes.
var ErrNonFinite = errors.New("nmt: non-finite result")

// Key selects the dropout masks of one gradient. A run uses a Step for one
// batch only; MaxUint32 is Init's.
type Key struct {
	Seed uint64
	Step uint32
}

// Engine computes a model on one device. It keeps its working memory from call
// to call, and is not safe for concurrent use.
type Engine struct {
	dev    kernel.Device
	config Config
	shapes []Shape
	arena  tensor.Arena
	pe     kernel.Tensor // positions [L, Dim] so far

	source, target ragged
	next           []int32 // the targets' tokens, one ahead
	decoder        decoder
}

// NewEngine returns an engine for models of configuration c, which must be
// valid.
func NewEngine(dev kernel.Device, c Config) *Engine {
	return &Engine{dev: dev, config: c, shapes: c.Shapes(), pe: floats(nil, 0, c.Dim)}
}

// Stats is a loss over a batch and what it took.
type Stats struct {
	Loss   float32 // sum over target tokens of the smoothed loss, in nats
	NLL    float32 // sum of the negative log likelihood, in nats
	Tokens int     // target tokens, EOS included
	Cost   uint64  // floating-point operations, by the table
}

// Gradient is the gradient of a batch's mean loss.
type Gradient struct {
	Grads *tensor.Set // by parameter; the caller's to keep
	Stats
}

// Gradient computes the loss of b under p with dropout by key, and the
// gradient of the mean loss per target token. It fails on a batch or on
// parameters that do not fit the configuration, and with ErrNonFinite.
func (e *Engine) Gradient(p *tensor.Set, b Batch, key Key) (Gradient, error) {
	t, err := e.gradientGraph(p, b, key)
	if err != nil {
		return Gradient{}, err
	}
	t.plan.Run(e.dev)
	items := make([]tensor.Named, p.Len())
	for i := range items {
		items[i] = tensor.Named{Name: p.At(i).Name, Tensor: t.plan.Result(t.grads[i])}
	}
	grads, err := tensor.NewSet(items)
	if err != nil {
		return Gradient{}, err
	}
	g := Gradient{Grads: grads, Stats: t.stats()}
	if !grads.Finite() {
		return Gradient{}, ErrNonFinite
	}
	return g, g.check()
}

// Loss computes the loss of b under p without dropout. It fails as Gradient.
func (e *Engine) Loss(p *tensor.Set, b Batch) (Stats, error) {
	t, err := e.lossGraph(p, b, nil)
	if err != nil {
		return Stats{}, err
	}
	t.plan = t.model.g.Plan(&e.arena, t.loss, t.nll)
	t.plan.Run(e.dev)
	s := t.stats()
	return s, s.check()
}

// Trace computes what Gradient computes and reports every operation's hashed
// name and digests, in order.
func (e *Engine) Trace(p *tensor.Set, b Batch, key Key, report func(tensor.Step)) error {
	t, err := e.gradientGraph(p, b, key)
	if err != nil {
		return err
	}
	t.plan.Trace(e.dev, report)
	return nil
}

// training is the graph of one batch's loss, and perhaps its gradient.
type training struct {
	model     *model
	loss, nll tensor.Value   // [1]
	grads     []tensor.Value // by parameter
	tokens    int
	plan      *tensor.Plan
}

// gradientGraph plans the gradient of a batch.
func (e *Engine) gradientGraph(p *tensor.Set, b Batch, key Key) (*training, error) {
	t, err := e.lossGraph(p, b, &key)
	if err != nil {
		return nil, err
	}
	g := t.model.g
	mean := g.Leaf(tensor.Input, "mean", floats([]float32{1 / float32(t.tokens)}, 1))
	params := make([]tensor.Value, p.Len())
	for i := range params {
		params[i] = t.model.params[p.At(i).Name]
	}
	t.grads = g.Grad(t.loss, mean, params...)
	t.plan = g.Plan(&e.arena, append([]tensor.Value{t.loss, t.nll}, t.grads...)...)
	return t, nil
}

// lossGraph packs a batch and builds the graph of its loss; key nil is no
// dropout.
func (e *Engine) lossGraph(p *tensor.Set, b Batch, key *Key) (*training, error) {
	if err := checkShapes(e.shapes, p); err != nil {
		return nil, err
	}
	if err := b.check(e.config.Vocab); err != nil {
		return nil, err
	}
	e.source.reset()
	e.target.reset()
	e.next = e.next[:0]
	for i, s := range b.Source {
		e.source.add(-1, s, EOS)
		e.target.add(BOS, b.Target[i], -1)
		e.next = append(append(e.next, b.Target[i]...), EOS)
	}
	m := newModel(e.config, p, e.positions(max(e.source.longest(), e.target.longest())))
	if key != nil && e.config.Dropout > 0 {
		words := []int32{int32(key.Seed), int32(key.Seed >> 32), int32(key.Step), 0}
		m.key = m.g.Leaf(tensor.Input, "dropout.key", ints(words, 4))
	}
	t := &training{model: m, tokens: len(e.next)}
	memory := m.encode(&e.source)
	t.loss, t.nll = m.loss(m.decode(memory, &e.source, &e.target), e.next)
	return t, nil
}

// positions returns the position table with at least n rows.
func (e *Engine) positions(n int) kernel.Tensor {
	if have := e.pe.Shape[0]; have < n {
		n = max(n, 2*have)
		e.pe = floats(kernel.Positions(n, e.config.Dim), n, e.config.Dim)
	}
	return e.pe
}

// stats reads the results of a run.
func (t *training) stats() Stats {
	return Stats{
		Loss:   t.plan.Result(t.loss).F[0],
		NLL:    t.plan.Result(t.nll).F[0],
		Tokens: t.tokens,
		Cost:   t.plan.Cost(),
	}
}

// check is ErrNonFinite when a sum is not finite.
func (s Stats) check() error {
	if !tensor.Finite(floats([]float32{s.Loss, s.NLL}, 2)) {
		return ErrNonFinite
	}
	return nil
}
