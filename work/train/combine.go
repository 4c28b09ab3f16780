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
type ModelState struct {
	Params, M, V *tensor.Set
}

// Start is the state a run begins from: params, and moments of +0.
func Start(cfg Config, params *tensor.Set) ModelState {
	s := ModelState{Params: params, M: params.Zeros(), V: params.Zeros()}
	if cfg.Local(0) {
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
	return fold{dev}.quantize(s, bits)
}

// Contribution is what one unit of a round gives: how far it would move the
// parameters, and, when it took more than one step, its second moment.
type Contribution struct {
	Delta
	V *tensor.Set // factored; nil for a unit of one step
}

// Combine folds the contributions of round r, in index order, into the state,
// whose storage is the next state's, and gives the quantised step: next
// parameters = parameters - step, as [Advance] has it. Rounds count from 0; at
// places r in the run. On an error the state is as it was.
//
// Deltas are averaged. Gradients are folded by Adam (Kingma and Ba 2015).
// Walks are folded by an outer step with Nesterov momentum: with A the
// average, M' = mu*M + A and the step is eta*(A + mu*M').
func Combine(dev kernel.Device, cfg Config, at Position, s *ModelState, from []Contribution, r int) (Delta, error) {
	if len(from) == 0 {
		return Delta{}, fmt.Errorf("combine round %d: no deltas", r)
	}
	walked := cfg.Local(r)
	for k, c := range from {
		if got := c.codec().bits; got != cfg.DeltaBits {
			return Delta{}, fmt.Errorf("combine round %d, delta %d: %d bits, want %d", r, k, got, cfg.DeltaBits)
		}
		if err := c.fits(s.Params); err != nil {
			return Delta{}, fmt.Errorf("combine round %d, delta %d: %w", r, k, err)
		}
		if walked {
			if err := sameForm(s.V, c.V); err != nil {
				return Delta{}, fmt.Errorf("combine round %d, second moment %d: %w", r, k, err)
			}
		}
	}
	f := fold{dev}
	kernel.Hold(dev)
	defer kernel.Release(dev)
	if walked {
		return f.walks(cfg, s, from), nil
	}
	step := f.gradients(cfg, at, s, from)
	if cfg.Local(r + 1) { // the lead is over: from Adam's moments to those of walks
		s.M, s.V = s.Params.Zeros(), Factor(dev, s.V)
	}
	return step, nil
}

// walks folds what walks gave.
func (f fold) walks(cfg Config, s *ModelState, from []Contribution) Delta {
	eta, mu := fraction(cfg.OuterRatePPM), fraction(cfg.OuterMomentumPPM)
	a := f.average(s.Params, from)
	f.scale(s.M, mu)
	f.add(s.M, a)
	s.V = f.averageMoments(from)
	ahead := f.times(s.M, mu)
	f.add(ahead, a)
	f.scale(ahead, eta)
	step := f.quantize(ahead, cfg.UpdateBits)
	f.dequantize(s.Params, step, 0, s.Params.Len(), -1)
	return step
}

// gradients folds gradients by Adam. It takes a batch of tensors after the
// other through everything, so that most of them stay in the cache.
func (f fold) gradients(cfg Config, at Position, s *ModelState, from []Contribution) Delta {
	var mean *tensor.Set // where all of it must be known first
	if cfg.ClipPPM > 0 {
		mean = f.average(s.Params, from)
		f.clip(cfg, mean)
	}
	step := f.codes(s.Params, cfg.UpdateBits)
	var room, zeros kernel.Tensor
	for lo, hi := 0, 0; lo < s.Params.Len(); lo = hi {
		var elements int
		if hi, elements = batch(s.Params, lo); len(room.F) < elements {
			first := s.Params.At(0)
			room, zeros = first.Near(elements), first.Near(elements)
		}
		g := mean
		if g == nil {
			g = within(room, s.Params, lo, hi)
			f.mean(g, zeros, from, lo, hi)
		}
		f.adam(cfg, at, g, s.M, s.V, lo, hi)
		f.decay(cfg, at, s.Params, g, lo, hi)
		f.encode(g, step, cfg.UpdateBits, lo, hi)
		f.dequantize(s.Params, step, lo, hi, -1)
	}
	return step
}

// batchElements is what a batch of tensors has at least, unless it is the last:
// enough to share among workers, and, with moments and codes, little beside a
// cache.
const batchElements = 1 << 17

// batch gives the end of the batch of tensors that begins with s's lo-th, and
// its elements.
func batch(s *tensor.Set, lo int) (hi, elements int) {
	for hi = lo; hi < s.Len() && elements < batchElements; hi++ {
		t := s.At(hi).Tensor
		elements += t.Len()
	}
	return hi, elements
}

// within is a set of s's form whose tensors lo to hi-1 lie in room. The others
// have no storage.
func within(room kernel.Tensor, s *tensor.Set, lo, hi int) *tensor.Set {
	items, at := make([]tensor.Named, s.Len()), 0
	for i := range items {
		t := s.At(i)
		items[i] = tensor.Named{Name: t.Name, Tensor: kernel.Tensor{Type: kernel.F32, Shape: t.Shape}}
		if lo <= i && i < hi {
			items[i].Tensor = room.Part(at, at+t.Len(), t.Shape...)
			at += t.Len()
		}
	}
	return set(items)
}

// fold is arithmetic on whole sets, by rows of the table of work/kernel.
type fold struct{ dev kernel.Device }

// each computes a call for each of the tensors lo to hi-1, in any order.
func (f fold) each(lo, hi int, call func(i int) kernel.Call) {
	calls := make([]kernel.Call, hi-lo)
	for i := range calls {
		calls[i] = call(lo + i)
	}
	f.dev.Group(calls)
}

// mean sets the tensors lo to hi-1 of x to the means of the deltas' tensors, in
// index order. Zeros is as long as the longest of them.
func (f fold) mean(x *tensor.Set, zeros kernel.Tensor, from []Contribution, lo, hi int) {
	f.each(lo, hi, func(i int) kernel.Call {
		t := x.At(i).Tensor
		return f.added(zeros.Part(0, t.Len(), t.Shape...), t, from[0].Delta, i, +1)
	})
	for _, c := range from[1:] {
		f.dequantize(x, c.Delta, lo, hi, +1)
	}
	f.scaleSome(x, 1/float32(len(from)), lo, hi)
}

// average is the mean of the deltas, of params' form.
func (f fold) average(params *tensor.Set, from []Contribution) *tensor.Set {
	sum, longest := params.Zeros(), 0
	for i := range sum.Len() {
		t := sum.At(i)
		longest = max(longest, t.Len())
	}
	first := sum.At(0)
	f.mean(sum, first.Near(longest), from, 0, sum.Len())
	return sum
}

// averageMoments is the mean of the units' second moments in index order.
func (f fold) averageMoments(from []Contribution) *tensor.Set {
	sum := from[0].V.Clone()
	for _, c := range from[1:] {
		f.add(sum, c.V)
	}
	f.scale(sum, 1/float32(len(from)))
	return sum
}

// codes is a delta of params' form with nothing in it.
func (f fold) codes(params *tensor.Set, bits uint32) Delta {
	q, scales := make([]tensor.Named, params.Len()), make([]tensor.Named, params.Len())
	for i := range params.Len() {
		t := params.At(i)
		out := infer(codecOf(bits).quantize, kernel.Attr{}, t.Tensor)
		q[i], scales[i] = tensor.Named{Name: t.Name, Tensor: out[0]}, tensor.Named{Name: t.Name, Tensor: out[1]}
	}
	return Delta{Q: set(q).Near(params), Scales: set(scales).Near(params)}
}

// quantize gives the delta of so many bits that is nearest to s.
func (f fold) quantize(s *tensor.Set, bits uint32) Delta {
	d := f.codes(s, bits)
	f.encode(s, d, bits, 0, s.Len())
	return d
}

// encode quantises the tensors lo to hi-1 of s.
func (f fold) encode(s *tensor.Set, d Delta, bits uint32, lo, hi int) {
	f.each(lo, hi, func(i int) kernel.Call {
		return kernel.Call{
			Op: codecOf(bits).quantize, In: []kernel.Tensor{s.At(i).Tensor},
			Out: []kernel.Tensor{d.Q.At(i).Tensor, d.Scales.At(i).Tensor},
		}
	})
}

// dequantize puts sign times d's tensors lo to hi-1 onto s's, in place.
func (f fold) dequantize(s *tensor.Set, d Delta, lo, hi int, sign float32) {
	f.each(lo, hi, func(i int) kernel.Call { return f.added(s.At(i).Tensor, s.At(i).Tensor, d, i, sign) })
}

// added is the call that makes y of x and sign times d's i-th tensor.
func (f fold) added(x, y kernel.Tensor, d Delta, i int, sign float32) kernel.Call {
	return kernel.Call{
		Op: d.codec().add, Attr: kernel.Attr{Scale: sign},
		In: []kernel.Tensor{x, d.Q.At(i).Tensor, d.Scales.At(i).Tensor}, Out: []kernel.Tensor{y},
	}
}

// scale multiplies s by x in place.
func (f fold) scale(s *tensor.Set, x float32) { f.scaleSome(s, x, 0, s.Len()) }

// scaleSome multiplies the tensors lo to hi-1 of s by x in place.
func (f fold) scaleSome(s *tensor.Set, x float32, lo, hi int) {
	f.each(lo, hi, func(i int) kernel.Call {
		t := []kernel.Tensor{s.At(i).Tensor}
		return kernel.Call{Op: kernel.Scale, Attr: kernel.Attr{Scale: x}, In: t, Out: t}
	})
}

// times is s*x.
func (f fold) times(s *tensor.Set, x float32) *tensor.Set {
	s = s.Clone()
	f.scale(s, x)
	return s
}

// add adds t to s, which is of its form, in place.
func (f fold) add(s, t *tensor.Set) {
	f.each(0, s.Len(), func(i int) kernel.Call {
		x := s.At(i).Tensor
		return kernel.Call{Op: kernel.Add, In: []kernel.Tensor{x, t.At(i).Tensor}, Out: []kernel.Tensor{x}}
	})
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
		sum += scalar(results(f.dev, kernel.Sum, kernel.Attr{}, rows)[0])
	}
	return float32(math.Sqrt(float64(sum)))
}

// matrix is t with its dimensions but the last as rows.
func matrix(t kernel.Tensor) kernel.Tensor {
	last := t.Shape[len(t.Shape)-1]
	t.Shape = []int{t.Len() / last, last}
	return t
}

// adam makes of the tensors lo to hi-1 of g, a gradient, and of its two moments
// a step and the moments after it, in place.
func (f fold) adam(cfg Config, at Position, g, m, v *tensor.Set, lo, hi int) {
	attr := kernel.Attr{Beta1: fraction(cfg.Beta1PPM), Beta2: fraction(cfg.Beta2PPM), Eps: adamEps}
	hyper := cfg.hyper(at)
	f.each(lo, hi, func(i int) kernel.Call {
		state := []kernel.Tensor{g.At(i).Tensor, m.At(i).Tensor, v.At(i).Tensor}
		return kernel.Call{Op: kernel.Adam, Attr: attr, In: append(slices.Clone(state), hyper), Out: state}
	})
}

// adamEps is added to the root of the second moment, as in Vaswani et al. 2017.
const adamEps = 1e-9

// decay adds to the tensors lo to hi-1 of the step x, in place, what weight
// decay takes off those of p.
func (f fold) decay(cfg Config, at Position, p, x *tensor.Set, lo, hi int) {
	if cfg.WeightDecayPPM == 0 {
		return
	}
	part := float32(cfg.Rate(at) * fraction(cfg.WeightDecayPPM))
	for i := lo; i < hi; i++ {
		if len(p.At(i).Shape) == 1 {
			continue
		}
		off := results(f.dev, kernel.Scale, kernel.Attr{Scale: part}, p.At(i).Tensor)[0]
		step := x.At(i).Tensor
		f.dev.Do(&kernel.Call{Op: kernel.Add, In: []kernel.Tensor{step, off}, Out: []kernel.Tensor{step}})
	}
}

// Mean is the average of sets of one form, in order: a model of several
// checkpoints.
func Mean(dev kernel.Device, sets []*tensor.Set) (*tensor.Set, error) {
	if len(sets) == 0 {
		return nil, errors.New("mean of no sets")
	}
	if len(sets) == 1 {
		return sets[0], nil
	}
	f, sum := fold{dev}, sets[0].Clone()
	for k, s := range sets[1:] {
		if err := sameForm(sum, s); err != nil {
			return nil, fmt.Errorf("mean: set %d: %w", k+1, err)
		}
		f.add(sum, s)
	}
	f.scale(sum, 1/float32(len(sets)))
	return sum, nil
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
	fold{dev}.dequantize(next, step, 0, next.Len(), -1)
	return next, nil
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
		out := infer(kernel.Quantize, kernel.Attr{}, p)
		hyper := kernel.Tensor{Type: kernel.F32, Shape: []int{3}}
		sum += uint64(n+1) * cost(kernel.AddQuantized, kernel.Attr{Scale: 1}, p, out[0], out[1])
		sum += cost(kernel.Scale, kernel.Attr{}, p) + cost(kernel.Adam, kernel.Attr{}, p, p, p, hyper) + cost(kernel.Quantize, kernel.Attr{}, p)
	}
	return sum
}

// cost is the canonical cost of one row; only the inputs' forms matter.
func cost(op kernel.Op, a kernel.Attr, in ...kernel.Tensor) uint64 {
	return kernel.Cost(&kernel.Call{Op: op, Attr: a, In: in, Out: infer(op, a, in...)})
}

// results runs one row of the table into new tensors.
func results(dev kernel.Device, op kernel.Op, a kernel.Attr, in ...kernel.Tensor) []kernel.Tensor {
	out := infer(op, a, in...)
	for i := range out {
		shape := out[i].Shape
		out[i] = kernel.Alloc(dev, out[i].Type, out[i].Len())
		out[i].Shape = shape
	}
	dev.Do(&kernel.Call{Op: op, Attr: a, In: in, Out: out})
	return out
}

// scalar is the only element of x.
func scalar(x kernel.Tensor) float32 { return kernel.Local(x).F[0] }

// infer is the forms of a row's results.
func infer(op kernel.Op, a kernel.Attr, in ...kernel.Tensor) []kernel.Tensor {
	out, err := kernel.Infer(op, a, in)
	if err != nil {
		panic("train: " + err.Error())
	}
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
