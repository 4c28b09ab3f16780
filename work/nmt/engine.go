package nmt

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// ErrNonFinite says that a result holds a NaN or an infinity. The numeric
// specification gives such a unit of work no bytes.
var ErrNonFinite = errors.New("nmt: non-finite result")

// NonFiniteError is an [ErrNonFinite] that says where the first NaN or infinity
// came from.
type NonFiniteError struct {
	Batch  int    // its index among the batches
	Op     string // the row of the table that made it, or "parameter" where it was given
	Tensor string // the parameter, or the part of the model the operation belongs to
}

func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("%v: batch %d, %s of %s", ErrNonFinite, e.Batch, e.Op, e.Tensor)
}

// Is reports that e is an [ErrNonFinite].
func (e *NonFiniteError) Is(target error) bool { return target == ErrNonFinite }

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

	sum *tensor.Set // gradients of several batches
}

// NewEngine returns an engine for models of configuration c, which must be
// valid.
func NewEngine(dev kernel.Device, c Config) *Engine {
	return &Engine{dev: dev, config: c, shapes: c.Shapes(), pe: floats(nil, 0, c.Dim)}
}

// Stats is a loss over batches and what it took.
type Stats struct {
	Loss   float32 // sum over target tokens of the smoothed loss, in nats
	NLL    float32 // sum of the negative log likelihood, in nats
	Tokens int     // target tokens, EOS included
	Cost   uint64  // floating-point operations, by the table
}

// Gradient is the gradient of the mean loss over some batches.
type Gradient struct {
	Grads *tensor.Set // by parameter; good until the engine's next call
	Stats
}

// Gradient computes the loss of batches under p, and the gradient of the mean
// loss per target token of them all. Each batch's gradient is of the sum of its
// losses over the tokens of all batches; they are added in order, and so are
// the losses. Batch i drops by key with i added to the step. It fails on batches
// or parameters that do not fit the configuration, and with a [NonFiniteError].
func (e *Engine) Gradient(p *tensor.Set, batches []Batch, key Key) (Gradient, error) {
	var g Gradient
	for i, b := range batches {
		t, err := e.gradientGraph(p, batches, i, key)
		if err != nil {
			return Gradient{}, fmt.Errorf("batch %d: %w", i, err)
		}
		t.plan.Run(e.dev)
		s := t.stats()
		g.Loss, g.NLL = g.Loss+s.Loss, g.NLL+s.NLL
		g.Tokens, g.Cost = g.Tokens+b.Tokens(), g.Cost+s.Cost
		grads := t.gradients(p)
		switch {
		case len(batches) == 1:
			g.Grads = grads
		case i == 0:
			g.Grads = e.first(grads)
		default:
			g.Cost += e.add(g.Grads, grads)
		}
	}
	if g.Grads == nil {
		return Gradient{}, errors.New("nmt: no batch")
	}
	if !g.finite() || !e.finite(g.Grads) {
		return Gradient{}, e.blame(p, batches, key)
	}
	return g, nil
}

// first keeps the first batch's gradients for others to be added to.
func (e *Engine) first(grads *tensor.Set) *tensor.Set {
	if e.sum == nil {
		e.sum = grads.Zeros()
	}
	for i := range grads.Len() {
		copy(e.sum.At(i).F, grads.At(i).F)
	}
	return e.sum
}

// add adds a batch's gradients to sum and returns what that costs.
func (e *Engine) add(sum, grads *tensor.Set) (cost uint64) {
	for i := range sum.Len() {
		x, y := sum.At(i).Tensor, grads.At(i).Tensor
		c := kernel.Call{Op: kernel.Add, In: []kernel.Tensor{x, y}, Out: []kernel.Tensor{x}}
		e.dev.Do(&c)
		cost += kernel.Cost(&c)
	}
	return cost
}

// finite reports whether all of s is finite. A sum over a tensor that holds a
// NaN or an infinity is one; one that overflows is looked at closely.
func (e *Engine) finite(s *tensor.Set) bool {
	sum := floats(make([]float32, 1), 1)
	for i := range s.Len() {
		t := s.At(i).Tensor
		e.dev.Do(&kernel.Call{Op: kernel.Sum, In: []kernel.Tensor{t}, Out: []kernel.Tensor{sum}})
		if !tensor.Finite(sum) && !tensor.Finite(t) {
			return false
		}
	}
	return true
}

// blame finds where a gradient that is not finite went wrong, one operation
// after the other.
func (e *Engine) blame(p *tensor.Set, batches []Batch, key Key) error {
	for i := range batches {
		t, err := e.gradientGraph(p, batches, i, key)
		if err != nil {
			return err
		}
		if f, found := t.plan.Fault(e.dev); found {
			where := f.Tensor
			if f.Back {
				where = "the gradient of " + where
			}
			return &NonFiniteError{i, f.Op, where}
		}
		grads := t.gradients(p)
		if i == 0 {
			e.first(grads)
			continue
		}
		e.add(e.sum, grads)
		for j := range e.sum.Len() {
			if t := e.sum.At(j); !tensor.Finite(t.Tensor) {
				return &NonFiniteError{i, kernel.Add.String(), "the gradient of " + t.Name}
			}
		}
	}
	return &NonFiniteError{len(batches) - 1, kernel.Add.String(), "the loss"} // each batch's own was finite
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
	if !s.finite() {
		return Stats{}, ErrNonFinite
	}
	return s, nil
}

// Trace computes what Gradient computes of each batch and reports every
// operation's hashed name and digests, in order.
func (e *Engine) Trace(p *tensor.Set, batches []Batch, key Key, report func(tensor.Step)) error {
	for i := range batches {
		t, err := e.gradientGraph(p, batches, i, key)
		if err != nil {
			return fmt.Errorf("batch %d: %w", i, err)
		}
		t.plan.Trace(e.dev, report)
	}
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

// gradientGraph plans the gradient of batch i.
func (e *Engine) gradientGraph(p *tensor.Set, batches []Batch, i int, key Key) (*training, error) {
	key.Step += uint32(i)
	t, err := e.lossGraph(p, batches[i], &key)
	if err != nil {
		return nil, err
	}
	tokens := 0
	for _, b := range batches {
		tokens += b.Tokens()
	}
	g := t.model.g
	mean := g.Leaf(tensor.Input, "mean", floats([]float32{1 / float32(tokens)}, 1))
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

// gradients reads the gradient of each of p.
func (t *training) gradients(p *tensor.Set) *tensor.Set {
	items := make([]tensor.Named, p.Len())
	for i := range items {
		items[i] = tensor.Named{Name: p.At(i).Name, Tensor: t.plan.Result(t.grads[i])}
	}
	s, err := tensor.NewSet(items)
	if err != nil {
		panic(err) // p names no parameter twice
	}
	return s
}

// finite reports whether both sums are.
func (s Stats) finite() bool { return tensor.Finite(floats([]float32{s.Loss, s.NLL}, 2)) }
