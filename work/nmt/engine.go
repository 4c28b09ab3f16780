package nmt

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// ErrNonFinite is the error of a result that has a NaN or an infinity. A unit of work with
// such a result has no output bytes: NUMERICS.md in package kernel, section 1.4.
var ErrNonFinite = errors.New("nmt: non-finite result")

// NonFiniteError is an [ErrNonFinite] with the place where the first NaN or infinity appeared.
type NonFiniteError struct {
	Batch  int    // the index of the batch
	Op     string // the operation that computed it, or "parameter" if a parameter had it
	Tensor string // the parameter, or the part of the model that the operation belongs to
}

func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("%v: batch %d, %s of %s", ErrNonFinite, e.Batch, e.Op, e.Tensor)
}

// Is makes errors.Is(e, ErrNonFinite) true.
func (e *NonFiniteError) Is(target error) bool { return target == ErrNonFinite }

// DropoutKey selects the dropout masks of a gradient. Every batch of a training run needs a Step of
// its own. The Step MaxUint32 is [Init]'s.
type DropoutKey struct {
	Seed uint64
	Step uint32
}

// Engine computes a model on one device. It keeps its graphs, programs and memory from call
// to call. One goroutine at a time may use it.
type Engine struct {
	// Shortlist limits the tokens that translations choose from; nil means the whole
	// vocabulary.
	Shortlist *Shortlist
	// Repeats is what translations do about repetitions.
	Repeats Repeats

	dev    kernel.Device
	config Config
	layout layout // of the parameters that the graphs are made for
	arena  tensor.Arena
	in     inputs

	// The graphs, each made when it is first needed.
	gradient *training // the loss with dropout, and its gradient
	loss     *training // the loss without dropout
	encoder  *encoding // the encoder, for translation

	sum      *tensor.Set   // the sum of several batches' gradients
	matrices [][]int       // by parameter: its shape as a matrix; a vector is one row
	totals   *tensor.Set   // by parameter: the sums of its rows, see finite
	calls    []kernel.Call // by parameter: its call in a group over all
	decoder  decoder
	meter    *Meter // for translations with terms; made when it is first needed
}

// NewEngine returns an engine for models of configuration c on dev. c must be valid: see
// [Config.Validate].
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

// LossSums is the loss of one or more batches, summed over target tokens, and its cost.
type LossSums struct {
	Loss   float32 // sum of the smoothed loss over target tokens, in nats
	NLL    float32 // sum of the negative log-likelihoods, in nats
	Tokens int     // number of target tokens, EOS included, and BOS behind Form.Start
	Cost   uint64  // floating-point operations: see kernel.Cost
}

// Gradient is the gradient of the mean loss over some batches.
type Gradient struct {
	Grads *tensor.Set // by parameter; valid until the engine's next call
	LossSums
}

// Gradient computes the loss of batches under the parameters p, and the gradient of the mean
// loss per target token of all batches together.
//
// Each batch contributes the gradient of its summed loss divided by the tokens of all
// batches. Contributions are added in the sequence of the batches, and so are the losses.
// Batch i uses the dropout masks of key with i added to its Step. The gradient of what
// [Config].Still holds is zero. Gradient returns an error
// for batches or parameters that do not fit the configuration, and a [NonFiniteError].
func (e *Engine) Gradient(p *tensor.Set, batches []Batch, key DropoutKey) (Gradient, error) {
	var g Gradient
	for i, b := range batches {
		t, err := e.prepareGradient(p, batches, i, key)
		if err != nil {
			return Gradient{}, err
		}
		t.program.Run(e.dev)
		if e.config.Still {
			e.hold(t.grads)
		}
		// Alone, a batch's gradient stays where it is. The next batch would overwrite it, so
		// with several batches the first is copied and the others are added.
		s := t.sums(b)
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
		return Gradient{}, e.locate(p, batches, key)
	}
	return g, nil
}

// first copies the first batch's gradients to e.sum, where other batches are added.
func (e *Engine) first(grads *tensor.Set) *tensor.Set {
	if e.sum == nil {
		e.sum = grads.Zeros()
	}
	e.each(kernel.Scale, kernel.Attr{Scale: 1}, e.sum, grads) // times 1 copies the bits
	return e.sum
}

// add adds a batch's gradients to sum and returns the cost.
func (e *Engine) add(sum, grads *tensor.Set) (cost uint64) {
	calls := e.each(kernel.Add, kernel.Attr{}, sum, sum, grads)
	for i := range calls {
		cost += kernel.Cost(&calls[i])
	}
	return cost
}

// finite reports whether no tensor of s has a NaN or an infinity. The sum of a row with a
// NaN or an infinity is not finite, so the device sums rows and the host reads only the
// sums. A sum may also overflow; then the host reads the whole tensor. Unlike the sum of
// a tensor, sums of rows use all of a device.
func (e *Engine) finite(s *tensor.Set) bool {
	for i := range e.calls {
		c, x := &e.calls[i], s.At(i).Tensor
		x.Shape = e.matrices[i] // a view: x is a copy of the tensor's header
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

// each computes op for every parameter, as one group: from the tensors of in to the tensor of
// out. It returns the calls, which are valid until the next call of each.
func (e *Engine) each(op kernel.Op, attr kernel.Attr, out *tensor.Set, in ...*tensor.Set) []kernel.Call {
	for i := range e.calls {
		c := &e.calls[i]
		c.Op, c.Attr, c.Label = op, attr, "combine/gradients"
		c.In, c.Out = c.In[:0], append(c.Out[:0], out.At(i).Tensor)
		for _, s := range in {
			c.In = append(c.In, s.At(i).Tensor)
		}
	}
	e.dev.Group(e.calls)
	return e.calls
}

// locate computes a gradient that is not finite again, one operation after the other, and
// returns the place where the first NaN or infinity appeared.
func (e *Engine) locate(p *tensor.Set, batches []Batch, key DropoutKey) error {
	for i := range batches {
		t, err := e.prepareGradient(p, batches, i, key)
		if err != nil {
			return err
		}
		if f, found := t.program.FirstNonFinite(e.dev); found {
			where := f.Tensor
			if f.Back {
				where = "the gradient of " + where
			}
			return &NonFiniteError{i, f.Op, where}
		}
		// The batch itself is finite; adding it to the others may overflow.
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
	// All batches and the sums of their gradients were finite: the sum of losses was not.
	return &NonFiniteError{len(batches) - 1, kernel.Add.String(), "the loss"}
}

// Loss computes the loss of b under the parameters p, without dropout. It returns the same
// errors as [Engine.Gradient], with a plain [ErrNonFinite].
func (e *Engine) Loss(p *tensor.Set, b Batch) (LossSums, error) {
	if e.config.Recurrent {
		f, err := e.force(p, b)
		if err != nil {
			return LossSums{}, err
		}
		return f.loss, nil
	}
	t, err := e.prepareLoss(p, b)
	if err != nil {
		return LossSums{}, err
	}
	t.program.Run(e.dev)
	s := t.sums(b)
	if !s.finite() {
		return LossSums{}, ErrNonFinite
	}
	return s, nil
}

// LogProbs returns, for each target, the natural logarithm of the probability under p of each
// of its tokens given the tokens before, EOS included (forced decoding). It returns the
// same errors as [Engine.Loss].
func (e *Engine) LogProbs(p *tensor.Set, b Batch) ([][]float32, error) {
	var all []float32 // the negative log-likelihoods of all targets, packed
	if e.config.Recurrent {
		f, err := e.force(p, b)
		if err != nil {
			return nil, err
		}
		all = f.nll
	} else {
		t, err := e.prepareLoss(p, b)
		if err != nil {
			return nil, err
		}
		t.program.Run(e.dev)
		if !t.sums(b).finite() {
			return nil, ErrNonFinite
		}
		all = kernel.Local(t.program.Result(t.each)).F
	}
	// Each target has one more token, EOS.
	out := make([][]float32, len(b.Target))
	for i, s := range b.Target {
		all = all[e.config.lead():] // the probability of BOS is nobody's question
		out[i] = make([]float32, len(s)+1)
		for j := range out[i] {
			out[i][j] = -all[j]
		}
		all = all[len(s)+1:]
	}
	return out, nil
}

// Trace computes each batch as [Engine.Gradient] does, and reports the hashed name and the
// digests of every operation in sequence.
func (e *Engine) Trace(p *tensor.Set, batches []Batch, key DropoutKey, report func(tensor.Step)) error {
	for i := range batches {
		t, err := e.prepareGradient(p, batches, i, key)
		if err != nil {
			return err
		}
		t.program.Trace(e.dev, report)
	}
	return nil
}

// training is the graph of a batch's loss, and of its gradient if that is wanted.
type training struct {
	model     *model
	loss, nll tensor.Value   // [1]
	each      tensor.Value   // [T]: the nll of each token, an output only without a gradient
	values    []tensor.Value // by parameter: its gradient
	outputs   []tensor.Value // all values that the program computes
	grads     *tensor.Set    // the tensors of values
	program   *tensor.Program
}

// newTraining makes the graph and its program, for the present batch.
func (e *Engine) newTraining(gradient bool) *training {
	t := newTrainingGraph(e.config, &e.in, gradient)
	t.program = t.model.g.Compile(&e.arena, t.outputs...)
	return t
}

// newTrainingGraph makes the graph without a program.
func newTrainingGraph(c Config, in *inputs, gradient bool) *training {
	m := newModel(c, in)
	if c.Int8 {
		m.quantize()
	}
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
	// The gradient of the mean is the gradient of the sum, weighted by 1/tokens.
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

// prepare makes t ready to run on the engine's present inputs.
func (t *training) prepare() {
	t.model.refresh()
	t.program.Prepare()
	for i, v := range t.values {
		t.grads.Put(i, t.program.Result(v))
	}
}

// prepareGradient packs batch i and makes the program of its gradient ready to run.
func (e *Engine) prepareGradient(p *tensor.Set, batches []Batch, i int, key DropoutKey) (*training, error) {
	if e.config.Recurrent {
		return nil, errRecurrent
	}
	if layoutOf(p) != trained {
		return nil, errors.New("nmt: parameters prepared for translation have no gradient: use the trained ones")
	}
	if e.config.Still {
		p = e.soften(p)
	}
	if err := e.pack(p, batches[i]); err != nil {
		return nil, fmt.Errorf("batch %d: %w", i, err)
	}
	tokens := 0
	for _, b := range batches {
		tokens += e.config.targets(b)
	}
	e.in.mean.F[0] = 1 / float32(tokens)
	// The key words of Dropout: the seed, and the batch's own step.
	words := e.in.key.I
	words[0], words[1], words[2] = int32(key.Seed), int32(key.Seed>>32), int32(key.Step+uint32(i))
	if e.gradient == nil {
		e.gradient = e.newTraining(true)
	}
	e.gradient.prepare()
	return e.gradient, nil
}

// prepareLoss packs a batch and makes the program of its loss ready to run.
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

// use checks p. If its layout differs from before, the engine's graphs are dropped.
func (e *Engine) use(p *tensor.Set) error {
	l, shapes := layoutOf(p), e.in.shapes
	if l != e.layout {
		shapes = e.config.shapes(l)
	}
	if err := checkShapes(shapes, p); err != nil {
		return err
	}
	// Graphs and the decoder refer to parameters by their shapes.
	if l != e.layout {
		e.layout, e.gradient, e.loss, e.encoder = l, nil, nil, nil
		e.in.shapes, e.in.params = shapes, make([]kernel.Tensor, len(shapes))
		e.decoder = decoder{}
	}
	return nil
}

// pack checks parameters and a batch, and makes them the engine's inputs.
func (e *Engine) pack(p *tensor.Set, b Batch) error {
	if err := e.use(p); err != nil {
		return err
	}
	if err := b.check(e.config); err != nil {
		return err
	}
	e.in.load(p)
	if e.config.Int8 { // products only read panels, and codes are made of the weights here
		for i, t := range e.in.params {
			e.in.params[i] = kernel.Rows(t)
		}
	}
	e.in.pack(b.Source, b.Target)
	return nil
}

// sums reads the losses after a run on b.
func (t *training) sums(b Batch) LossSums {
	return LossSums{
		Loss:   kernel.Local(t.program.Result(t.loss)).F[0],
		NLL:    kernel.Local(t.program.Result(t.nll)).F[0],
		Tokens: t.model.targets(b),
		Cost:   t.program.Cost(),
	}
}

// set is a set of parameters. Shapes lists no name twice, so NewSet cannot fail.
func set(items []tensor.Named) *tensor.Set {
	s, err := tensor.NewSet(items)
	if err != nil {
		panic(err)
	}
	return s
}

// finite reports whether both losses are finite.
func (s LossSums) finite() bool { return tensor.AllFinite([]float32{s.Loss, s.NLL}) }
