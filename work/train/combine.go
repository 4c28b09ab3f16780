package train

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// State is all a run carries from round to round: the parameters, and two
// sets of moments that follow from how the next round is combined. For units
// of one step they are Adam's first and second moments, of the parameters'
// names and shapes. For units of more, M is the outer momentum, and V the
// second moment that workers share, factored: see [Factor].
type State struct {
	Params, M, V *tensor.Set
}

// Start is the state a run begins from: params, and moments of +0.
func Start(cfg Config, params *tensor.Set) State {
	s := State{Params: params, M: params.Zeros(), V: params.Zeros()}
	if cfg.Inner(0) > 1 {
		s.V = zeroFactors(params)
	}
	return s
}

// Delta is a quantised set: codes and scales under the names of its tensors,
// as a codec's rows of the table give them. What form the codes have says which
// codec it is: I8 for 8 bits, I32 of one dimension for 4 bits, of two for 2.
type Delta struct {
	Q, Scales *tensor.Set
}

// codec is the rows of the table that make codes of so many bits, and add them.
type codec struct {
	bits          uint32
	quantize, add kernel.Op
}

var codecs = []codec{
	{8, kernel.Quantize, kernel.AddQuantized},
	{4, kernel.Quantize4, kernel.AddQuantized4},
	{2, kernel.Quantize2, kernel.AddQuantized2},
}

// codes reports whether there is a codec of so many bits.
func codes(bits uint32) bool {
	return slices.ContainsFunc(codecs, func(c codec) bool { return c.bits == bits })
}

func codecOf(bits uint32) codec {
	return codecs[slices.IndexFunc(codecs, func(c codec) bool { return c.bits == bits })]
}

// codec is the one that made d, by the form of its codes.
func (d Delta) codec() codec {
	bits := uint32(8)
	if d.Q.Len() > 0 && d.Q.At(0).Type == kernel.I32 {
		bits = 4
		if len(d.Q.At(0).Shape) == 2 {
			bits = 2
		}
	}
	return codecOf(bits)
}

// Quantize gives the delta of so many bits, as [Config] has them, that is
// nearest to s.
func Quantize(dev kernel.Device, s *tensor.Set, bits uint32) Delta {
	q, scales := make([]tensor.Named, s.Len()), make([]tensor.Named, s.Len())
	for i := range s.Len() {
		t := s.At(i)
		out := results(dev, codecOf(bits).quantize, kernel.Attr{}, t.Tensor)
		q[i] = tensor.Named{Name: t.Name, Tensor: out[0]}
		scales[i] = tensor.Named{Name: t.Name, Tensor: out[1]}
	}
	return Delta{Q: set(q), Scales: set(scales)}
}

// Contribution is what one unit of a round gives: how far it would move the
// parameters, and, when it took more than one step, its second moment.
type Contribution struct {
	Delta
	V *tensor.Set // factored; nil for a unit of one step
}

// Combine folds the contributions of round r, in index order, into the next
// state, and gives the quantised step: next parameters = parameters - step,
// as [Advance] has it. Rounds count from 0; at places r in the run.
//
// Deltas are averaged. Gradients are folded by Adam (Kingma and Ba 2015).
// Walks are folded by an outer step with Nesterov momentum: with A the
// average, M' = mu*M + A and the step is eta*(A + mu*M').
func Combine(dev kernel.Device, cfg Config, at Place, s State, from []Contribution, r int) (State, Delta, error) {
	if len(from) == 0 {
		return State{}, Delta{}, fmt.Errorf("combine round %d: no deltas", r)
	}
	walked := cfg.Inner(r) > 1
	for k, c := range from {
		if got := c.codec().bits; got != cfg.DeltaBits {
			return State{}, Delta{}, fmt.Errorf("combine round %d, delta %d: %d bits, want %d", r, k, got, cfg.DeltaBits)
		}
		if err := c.fits(s.Params); err != nil {
			return State{}, Delta{}, fmt.Errorf("combine round %d, delta %d: %w", r, k, err)
		}
		if walked {
			if err := sameForm(s.V, c.V); err != nil {
				return State{}, Delta{}, fmt.Errorf("combine round %d, second moment %d: %w", r, k, err)
			}
		}
	}
	f := fold{dev: dev}
	if !walked {
		next, step := f.gradients(cfg, at, s, from)
		if cfg.Inner(r+1) > 1 { // the lead is over: from Adam's moments to those of walks
			next.M, next.V = s.Params.Zeros(), Factor(dev, next.V)
		}
		return next, step, nil
	}
	eta, mu := fraction(cfg.OuterRatePPM), fraction(cfg.OuterMomentumPPM)
	a := f.average(s.Params, from)
	next := State{M: f.plus(f.times(s.M, mu), a), V: f.averageMoments(from)}
	step := Quantize(dev, f.times(f.plus(a, f.times(next.M, mu)), eta), cfg.UpdateBits)
	var err error
	next.Params, err = Advance(dev, s.Params, step)
	return next, step, err
}

// gradients folds gradients by Adam. It takes one tensor after the other
// through everything, so that most of them stay in the cache.
func (f fold) gradients(cfg Config, at Place, s State, from []Contribution) (State, Delta) {
	var clipped *tensor.Set // the mean gradient, where all of it must be known first
	if cfg.ClipPPM > 0 {
		clipped = f.average(s.Params, from)
		f.clip(cfg, clipped)
	}
	n := s.Params.Len()
	params, m, v := make([]tensor.Named, n), make([]tensor.Named, n), make([]tensor.Named, n)
	q, scales := make([]tensor.Named, n), make([]tensor.Named, n)
	var room []float32
	for i := range n {
		p := s.Params.At(i)
		if len(room) < len(p.F) {
			room = make([]float32, len(p.F))
		}
		g := kernel.Tensor{Type: kernel.F32, Shape: p.Shape, F: room[:len(p.F)]}
		if clipped != nil {
			g = clipped.At(i).Tensor
		} else {
			f.mean(g, from, i)
		}
		m[i] = tensor.Named{Name: p.Name, Tensor: tensor.Zeros(kernel.F32, p.Shape...)}
		v[i] = tensor.Named{Name: p.Name, Tensor: tensor.Zeros(kernel.F32, p.Shape...)}
		f.adam(cfg, at, []kernel.Tensor{g, s.M.At(i).Tensor, s.V.At(i).Tensor}, []kernel.Tensor{g, m[i].Tensor, v[i].Tensor})
		f.decay(cfg, at, p.Tensor, g)
		out := results(f.dev, codecOf(cfg.UpdateBits).quantize, kernel.Attr{}, g)
		q[i], scales[i] = tensor.Named{Name: p.Name, Tensor: out[0]}, tensor.Named{Name: p.Name, Tensor: out[1]}
		params[i] = tensor.Named{Name: p.Name, Tensor: tensor.Zeros(kernel.F32, p.Shape...)}
		f.dev.Do(&kernel.Call{
			Op: codecOf(cfg.UpdateBits).add, Attr: kernel.Attr{Scale: -1},
			In: append([]kernel.Tensor{p.Tensor}, out...), Out: []kernel.Tensor{params[i].Tensor},
		})
	}
	return State{Params: set(params), M: set(m), V: set(v)}, Delta{Q: set(q), Scales: set(scales)}
}

// mean sets x to the mean of the i-th tensors of the deltas, in index order.
func (f fold) mean(x kernel.Tensor, from []Contribution, i int) {
	clear(x.F)
	for _, c := range from {
		add(f.dev, x, c.Delta, i, +1)
	}
	t := []kernel.Tensor{x}
	f.dev.Do(&kernel.Call{Op: kernel.Scale, Attr: kernel.Attr{Scale: 1 / float32(len(from))}, In: t, Out: t})
}

// fold is arithmetic on whole sets, by rows of the table of work/kernel.
type fold struct{ dev kernel.Device }

// average is the mean of the deltas, of params' form.
func (f fold) average(params *tensor.Set, from []Contribution) *tensor.Set {
	sum := params.Zeros()
	for i := range sum.Len() {
		f.mean(sum.At(i).Tensor, from, i)
	}
	return sum
}

// averageMoments is the mean of the units' second moments in index order.
func (f fold) averageMoments(from []Contribution) *tensor.Set {
	sum := from[0].V
	for _, c := range from[1:] {
		sum = f.plus(sum, c.V)
	}
	return f.times(sum, 1/float32(len(from)))
}

// scale multiplies s by x in place.
func (f fold) scale(s *tensor.Set, x float32) {
	for i := range s.Len() {
		t := []kernel.Tensor{s.At(i).Tensor}
		f.dev.Do(&kernel.Call{Op: kernel.Scale, Attr: kernel.Attr{Scale: x}, In: t, Out: t})
	}
}

// times is s*x.
func (f fold) times(s *tensor.Set, x float32) *tensor.Set {
	s = s.Clone()
	f.scale(s, x)
	return s
}

// plus is s + t, which are of one form.
func (f fold) plus(s, t *tensor.Set) *tensor.Set {
	s = s.Clone()
	for i := range s.Len() {
		x := s.At(i).Tensor
		f.dev.Do(&kernel.Call{Op: kernel.Add, In: []kernel.Tensor{x, t.At(i).Tensor}, Out: []kernel.Tensor{x}})
	}
	return s
}

// clip scales the gradient g, in place, down to the norm that cfg allows.
func (f fold) clip(cfg Config, g *tensor.Set) {
	if cfg.ClipPPM == 0 {
		return
	}
	if norm, most := f.norm(g), fraction(cfg.ClipPPM); norm > most {
		f.scale(g, most/norm)
	}
}

// norm is the Euclidean norm of all of g: the squares of each row are summed
// by lanes, the rows of each tensor by lanes, and the tensors in order of
// their names.
func (f fold) norm(g *tensor.Set) float32 {
	var sum float32
	for i := range g.Len() {
		rows := results(f.dev, kernel.RowSumSquares, kernel.Attr{}, matrix(g.At(i).Tensor))[0]
		sum += results(f.dev, kernel.Sum, kernel.Attr{}, rows)[0].F[0]
	}
	return float32(math.Sqrt(float64(sum)))
}

// matrix is t with its dimensions but the last as rows.
func matrix(t kernel.Tensor) kernel.Tensor {
	last := t.Shape[len(t.Shape)-1]
	t.Shape = []int{t.Len() / last, last}
	return t
}

// adam makes of in, a gradient and its two moments, out: a step and the moments
// after it. Each of out may be the storage of the same of in.
func (f fold) adam(cfg Config, at Place, in, out []kernel.Tensor) {
	attr := kernel.Attr{Beta1: fraction(cfg.Beta1PPM), Beta2: fraction(cfg.Beta2PPM), Eps: adamEps}
	f.dev.Do(&kernel.Call{Op: kernel.Adam, Attr: attr, In: append(slices.Clone(in), cfg.hyper(at)), Out: out})
}

// adamEps is added to the root of the second moment, as in Vaswani et al. 2017.
const adamEps = 1e-9

// decay adds to the step x, in place, what weight decay takes off p.
func (f fold) decay(cfg Config, at Place, p, x kernel.Tensor) {
	if cfg.WeightDecayPPM == 0 || len(p.Shape) == 1 {
		return
	}
	part := float32(cfg.Rate(at) * fraction(cfg.WeightDecayPPM))
	off := results(f.dev, kernel.Scale, kernel.Attr{Scale: part}, p)[0]
	f.dev.Do(&kernel.Call{Op: kernel.Add, In: []kernel.Tensor{x, off}, Out: []kernel.Tensor{x}})
}

// Mean is the average of sets of one form, in order: a model of several
// checkpoints.
func Mean(dev kernel.Device, sets []*tensor.Set) (*tensor.Set, error) {
	if len(sets) == 0 {
		return nil, errors.New("mean of no sets")
	}
	f, sum := fold{dev}, sets[0]
	for k, s := range sets[1:] {
		if err := sameForm(sum, s); err != nil {
			return nil, fmt.Errorf("mean: set %d: %w", k+1, err)
		}
		sum = f.plus(sum, s)
	}
	if len(sets) == 1 {
		return sum, nil
	}
	return f.times(sum, 1/float32(len(sets))), nil
}

// sameForm says how t differs from s in names and shapes, if it does.
func sameForm(s, t *tensor.Set) error {
	if t == nil || t.Len() != s.Len() {
		return fmt.Errorf("want %d tensors", s.Len())
	}
	for i := range s.Len() {
		x, y := s.At(i), t.At(i)
		if x.Name != y.Name || x.Type != y.Type || !slices.Equal(x.Shape, y.Shape) {
			return fmt.Errorf("tensor %s of shape %v, want %s of %v", y.Name, y.Shape, x.Name, x.Shape)
		}
	}
	return nil
}

// Advance gives the next parameters from the last and the round's step.
func Advance(dev kernel.Device, params *tensor.Set, step Delta) (*tensor.Set, error) {
	if err := step.fits(params); err != nil {
		return nil, fmt.Errorf("advance: %w", err)
	}
	next := params.Clone()
	for i := range next.Len() {
		add(dev, next.At(i).Tensor, step, i, -1)
	}
	return next, nil
}

// add puts sign times d's i-th tensor onto x in place.
func add(dev kernel.Device, x kernel.Tensor, d Delta, i int, sign float32) {
	dev.Do(&kernel.Call{
		Op: d.codec().add, Attr: kernel.Attr{Scale: sign},
		In: []kernel.Tensor{x, d.Q.At(i).Tensor, d.Scales.At(i).Tensor}, Out: []kernel.Tensor{x},
	})
}

// set names tensors that come from a set, whose names are distinct.
func set(items []tensor.Named) *tensor.Set {
	s, err := tensor.NewSet(items)
	if err != nil {
		panic("train: " + err.Error())
	}
	return s
}

// QuantizeCost is the canonical cost, in FLOP, of [Quantize] to any bits.
func QuantizeCost(s *tensor.Set) uint64 {
	var sum uint64
	for i := range s.Len() {
		sum += cost(kernel.Quantize, kernel.Attr{}, s.At(i).Tensor)
	}
	return sum
}

// CombineCost is the canonical cost, in FLOP, of [Combine] with n deltas. It
// counts what every combine does, which is nearly all of it.
func CombineCost(params *tensor.Set, n int) uint64 {
	var sum uint64
	for i := range params.Len() {
		p := params.At(i).Tensor
		out, err := kernel.Infer(kernel.Quantize, kernel.Attr{}, []kernel.Tensor{p})
		if err != nil {
			panic("train: " + err.Error())
		}
		hyper := kernel.Tensor{Type: kernel.F32, Shape: []int{3}}
		sum += uint64(n+1) * cost(kernel.AddQuantized, kernel.Attr{Scale: 1}, p, out[0], out[1])
		sum += cost(kernel.Scale, kernel.Attr{}, p) + cost(kernel.Adam, kernel.Attr{}, p, p, p, hyper) + cost(kernel.Quantize, kernel.Attr{}, p)
	}
	return sum
}

// cost is the canonical cost of one row; only the inputs' forms matter.
func cost(op kernel.Op, a kernel.Attr, in ...kernel.Tensor) uint64 {
	out, err := kernel.Infer(op, a, in)
	if err != nil {
		panic("train: " + err.Error())
	}
	return kernel.Cost(&kernel.Call{Op: op, Attr: a, In: in, Out: out})
}

// results runs one row of the table into new tensors.
func results(dev kernel.Device, op kernel.Op, a kernel.Attr, in ...kernel.Tensor) []kernel.Tensor {
	out, err := kernel.Infer(op, a, in)
	if err != nil {
		panic("train: " + err.Error())
	}
	for i := range out {
		out[i] = tensor.Zeros(out[i].Type, out[i].Shape...)
	}
	dev.Do(&kernel.Call{Op: op, Attr: a, In: in, Out: out})
	return out
}

// fits says how d differs from the layout of s, if it does.
func (d Delta) fits(s *tensor.Set) error {
	if d.Q.Len() != s.Len() || d.Scales.Len() != s.Len() {
		return fmt.Errorf("%d tensors with %d scales, want %d", d.Q.Len(), d.Scales.Len(), s.Len())
	}
	row := d.codec().add
	for i := range s.Len() {
		t, q, sc := s.At(i), d.Q.At(i), d.Scales.At(i)
		if q.Name != t.Name || sc.Name != t.Name {
			return fmt.Errorf("tensor %s: codes named %s and scales named %s", t.Name, q.Name, sc.Name)
		}
		if _, err := kernel.Infer(row, kernel.Attr{Scale: 1}, []kernel.Tensor{t.Tensor, q.Tensor, sc.Tensor}); err != nil {
			return fmt.Errorf("tensor %s: %w", t.Name, err)
		}
	}
	return nil
}
