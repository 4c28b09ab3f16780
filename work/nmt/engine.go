package nmt

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// ErrNonFinite says that a result holds a NaN or an infinity. Such a unit of
// work has no output bytes (NUMERICS.md, section 1.4).
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

// Engine computes a model on one device. It keeps its graphs, their plans and
// its working memory from call to call, and is not safe for concurrent use.
type Engine struct {
	// Shortlist limits what Greedy and Beam write; nil is the whole vocabulary.
	Shortlist *Shortlist

	dev    kernel.Device
	config Config
	layout layout // of the parameters that the graphs are made for
	arena  tensor.Arena
	in     inputs

	gradient *training   // with dropout, when it was needed first
	loss     *training   // without
	encoder  *encoding   // of what is to be translated
	sum      *tensor.Set // gradients of several batches
	matrices [][]int     // by parameter: its shape, a vector's as that of one row
	totals   *tensor.Set // by parameter: the sums of its rows
	calls    []kernel.Call
	decoder  decoder
}

// NewEngine returns an engine for models of configuration c, which must be
// valid.
func NewEngine(dev kernel.Device, c Config) *Engine {
	shapes := c.Shapes()
	totals, matrices := make([]tensor.Named, len(shapes)), make([][]int, len(shapes))
	for i, s := range shapes {
		matrices[i] = []int{1, s.Dims[0]}
		if len(s.Dims) == 2 {
			matrices[i] = s.Dims
		}
		totals[i] = tensor.Named{Name: s.Name, Tensor: kernel.New(kernel.F32, matrices[i][0])}
	}
	return &Engine{
		dev: dev, config: c, in: newInputs(dev, c, shapes), arena: tensor.Arena{On: dev},
		matrices: matrices, totals: set(totals).On(dev), calls: make([]kernel.Call, len(shapes)),
	}
}

// LossSums is a loss over batches and what it took.
type LossSums struct {
	Loss   float32 // sum over target tokens of the smoothed loss, in nats
	NLL    float32 // sum of the negative log likelihood, in nats
	Tokens int     // target tokens, EOS included
	Cost   uint64  // floating-point operations, by the table
}

// Gradient is the gradient of the mean loss over some batches.
type Gradient struct {
	Grads *tensor.Set // by parameter; good until the engine's next call
	LossSums
}

// Gradient computes the loss of batches under p, and the gradient of the mean
// loss per target token of them all. Each batch's gradient is of the sum of its
// losses over the tokens of all batches; they are added in order, and so are
// the losses. Batch i drops by key with i added to the step. It fails on batches
// or parameters that do not fit the configuration, and with a [NonFiniteError].
func (e *Engine) Gradient(p *tensor.Set, batches []Batch, key Key) (Gradient, error) {
	var g Gradient
	for i, b := range batches {
		t, err := e.prepareGradient(p, batches, i, key)
		if err != nil {
			return Gradient{}, err
		}
		t.plan.Run(e.dev)
		s := t.stats(b)
		g.Loss, g.NLL = g.Loss+s.Loss, g.NLL+s.NLL
		g.Tokens, g.Cost = g.Tokens+s.Tokens, g.Cost+s.Cost
		switch {
		case len(batches) == 1:
			g.Grads = t.grads
		case i == 0:
			g.Grads = e.first(t.grads)
		default:
			g.Cost += e.add(g.Grads, t.grads)
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
	e.each(kernel.Scale, kernel.Attr{Scale: 1}, e.sum, grads) // a copy
	return e.sum
}

// add adds a batch's gradients to sum and returns what that costs.
func (e *Engine) add(sum, grads *tensor.Set) (cost uint64) {
	calls := e.each(kernel.Add, kernel.Attr{}, sum, sum, grads)
	for i := range calls {
		cost += kernel.Cost(&calls[i])
	}
	return cost
}

// finite reports whether all of s is finite. The sum of a row that holds a NaN
// or an infinity is one; one that overflows is looked at closely. Sums of rows,
// unlike that of a whole tensor, keep all of a device busy.
func (e *Engine) finite(s *tensor.Set) bool {
	for i := range e.calls {
		c, x := &e.calls[i], s.At(i).Tensor
		x.Shape = e.matrices[i]
		c.Op, c.Attr, c.Label = kernel.RowSum, kernel.Attr{}, "combine/gradients"
		c.In, c.Out = append(c.In[:0], x), append(c.Out[:0], e.totals.At(i).Tensor)
	}
	e.dev.Group(e.calls)
	totals := e.totals.Local()
	for i := range e.calls {
		if !tensor.Finite(totals.At(i).Tensor) && !tensor.Finite(e.calls[i].In[0]) {
			return false
		}
	}
	return true
}

// each computes op of every tensor of in, all at once, into the tensor of out
// of the same name, and returns the calls, good until the next time.
func (e *Engine) each(op kernel.Op, attr kernel.Attr, out *tensor.Set, in ...*tensor.Set) []kernel.Call {
	for i := range e.calls {
		c := &e.calls[i]
		c.Op, c.Attr, c.Label, c.In, c.Out = op, attr, "combine/gradients", c.In[:0], append(c.Out[:0], out.At(i).Tensor)
		for _, s := range in {
			c.In = append(c.In, s.At(i).Tensor)
		}
	}
	e.dev.Group(e.calls)
	return e.calls
}

// blame finds where a gradient that is not finite went wrong, one operation
// after the other.
func (e *Engine) blame(p *tensor.Set, batches []Batch, key Key) error {
	for i := range batches {
		t, err := e.prepareGradient(p, batches, i, key)
		if err != nil {
			return err
		}
		if f, found := t.plan.FirstNonFinite(e.dev); found {
			where := f.Tensor
			if f.Back {
				where = "the gradient of " + where
			}
			return &NonFiniteError{i, f.Op, where}
		}
		if i == 0 {
			e.first(t.grads)
			continue
		}
		e.add(e.sum, t.grads)
		for j := range e.sum.Len() {
			if t := e.sum.At(j); !tensor.Finite(t.Tensor) {
				return &NonFiniteError{i, kernel.Add.String(), "the gradient of " + t.Name}
			}
		}
	}
	return &NonFiniteError{len(batches) - 1, kernel.Add.String(), "the loss"} // each batch's own was finite
}

// Loss computes the loss of b under p without dropout. It fails as Gradient.
func (e *Engine) Loss(p *tensor.Set, b Batch) (LossSums, error) {
	t, err := e.prepareLoss(p, b)
	if err != nil {
		return LossSums{}, err
	}
	t.plan.Run(e.dev)
	s := t.stats(b)
	if !s.finite() {
		return LossSums{}, ErrNonFinite
	}
	return s, nil
}

// LogProbs gives the natural logarithm of the probability under p of each
// token of each target, EOS included, after those before it: forced decoding.
// It fails as Loss.
func (e *Engine) LogProbs(p *tensor.Set, b Batch) ([][]float32, error) {
	t, err := e.prepareLoss(p, b)
	if err != nil {
		return nil, err
	}
	t.plan.Run(e.dev)
	if !t.stats(b).finite() {
		return nil, ErrNonFinite
	}
	all := kernel.Local(t.plan.Result(t.each)).F
	out := make([][]float32, len(b.Target))
	for i, s := range b.Target {
		out[i] = make([]float32, len(s)+1)
		for j := range out[i] {
			out[i][j] = -all[j]
		}
		all = all[len(s)+1:]
	}
	return out, nil
}

// Trace computes what Gradient computes of each batch and reports every
// operation's hashed name and digests, in order.
func (e *Engine) Trace(p *tensor.Set, batches []Batch, key Key, report func(tensor.Step)) error {
	for i := range batches {
		t, err := e.prepareGradient(p, batches, i, key)
		if err != nil {
			return err
		}
		t.plan.Trace(e.dev, report)
	}
	return nil
}

// training is the graph of a batch's loss, and perhaps its gradient.
type training struct {
	model     *model
	loss, nll tensor.Value   // [1]
	each      tensor.Value   // [T]: the nll of each token, kept where there is no gradient
	values    []tensor.Value // by parameter: the gradient
	outputs   []tensor.Value // all that is computed
	grads     *tensor.Set    // the values' places in the arena
	plan      *tensor.Program
}

// newTraining makes the graph, and its plan for the batch at hand.
func (e *Engine) newTraining(gradient bool) *training {
	t := newTrainingGraph(e.config, &e.in, gradient)
	t.plan = t.model.g.Compile(&e.arena, t.outputs...)
	return t
}

// newTrainingGraph makes the graph alone.
func newTrainingGraph(c Config, in *inputs, gradient bool) *training {
	m := newModel(c, in)
	if gradient && c.Dropout > 0 {
		m.key = m.leaf(tensor.Input, "dropout.key", &in.key)
	}
	t := &training{model: m}
	t.loss, t.nll, t.each = m.loss(m.decode(m.encode()))
	t.outputs = []tensor.Value{t.loss, t.nll}
	if !gradient {
		t.outputs = append(t.outputs, t.each)
		return t
	}
	mean := m.leaf(tensor.Input, "mean", &in.mean)
	params := make([]tensor.Value, len(in.shapes))
	items := make([]tensor.Named, len(in.shapes))
	for i, s := range in.shapes {
		params[i], items[i].Name = m.params[s.Name], s.Name
	}
	t.values = m.g.Grad(t.loss, mean, params...)
	t.grads = set(items)
	t.outputs = append(t.outputs, t.values...)
	return t
}

// prepare makes t ready to run on what the engine's inputs hold.
func (t *training) prepare() {
	t.model.refresh()
	t.plan.Prepare()
	for i, v := range t.values {
		t.grads.Put(i, t.plan.Result(v))
	}
}

// prepareGradient packs batch i and plans its gradient.
func (e *Engine) prepareGradient(p *tensor.Set, batches []Batch, i int, key Key) (*training, error) {
	if layoutOf(p) != trained {
		return nil, errors.New("nmt: parameters prepared for translation have no gradient")
	}
	if err := e.pack(p, batches[i]); err != nil {
		return nil, fmt.Errorf("batch %d: %w", i, err)
	}
	tokens := 0
	for _, b := range batches {
		tokens += b.Tokens()
	}
	e.in.mean.F[0] = 1 / float32(tokens)
	words := e.in.key.I
	words[0], words[1], words[2] = int32(key.Seed), int32(key.Seed>>32), int32(key.Step+uint32(i))
	if e.gradient == nil {
		e.gradient = e.newTraining(true)
	}
	e.gradient.prepare()
	return e.gradient, nil
}

// prepareLoss packs a batch and plans its loss, without dropout.
func (e *Engine) prepareLoss(p *tensor.Set, b Batch) (*training, error) {
	if err := e.pack(p, b); err != nil {
		return nil, err
	}
	if e.loss == nil {
		e.loss = e.newTraining(false)
	}
	e.loss.prepare()
	return e.loss, nil
}

// use checks p, and forgets the graphs made for parameters of another layout.
func (e *Engine) use(p *tensor.Set) error {
	l, shapes := layoutOf(p), e.in.shapes
	if l != e.layout {
		shapes = e.config.shapes(l)
	}
	if err := checkShapes(shapes, p); err != nil {
		return err
	}
	if l != e.layout {
		e.layout, e.gradient, e.loss, e.encoder = l, nil, nil, nil
		e.in.shapes, e.in.params = shapes, make([]kernel.Tensor, len(shapes))
		e.decoder = decoder{}
	}
	return nil
}

// pack checks parameters and a batch and makes them the engine's inputs.
func (e *Engine) pack(p *tensor.Set, b Batch) error {
	if err := e.use(p); err != nil {
		return err
	}
	if err := b.check(e.config); err != nil {
		return err
	}
	e.in.load(p)
	e.in.pack(b.Source, b.Target)
	return nil
}

// stats reads the results of a run.
func (t *training) stats(b Batch) LossSums {
	return LossSums{
		Loss:   kernel.Local(t.plan.Result(t.loss)).F[0],
		NLL:    kernel.Local(t.plan.Result(t.nll)).F[0],
		Tokens: b.Tokens(),
		Cost:   t.plan.Cost(),
	}
}

// set names tensors as Shapes does, which names no parameter twice.
func set(items []tensor.Named) *tensor.Set {
	s, err := tensor.NewSet(items)
	if err != nil {
		panic(err)
	}
	return s
}

// finite reports whether both sums are.
func (s LossSums) finite() bool { return tensor.AllFinite([]float32{s.Loss, s.NLL}) }
