package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// fold is arithmetic on whole sets, by operations of package kernel. What is done to
// one set after the other goes on in index order, so every machine rounds alike.
type fold struct{ dev kernel.Device }

// each computes a call for each of the tensors lo to hi-1. The calls must not depend
// on one another.
func (f fold) each(lo, hi int, call func(i int) kernel.Call) {
	calls := make([]kernel.Call, hi-lo)
	for i := range calls {
		calls[i] = call(lo + i)
	}
	f.dev.Group(calls)
}

// mean sets the tensors lo to hi-1 of x to the means of the deltas' tensors, added in
// index order. Zeros is at least as long as the longest of these tensors.
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

// average is the mean of the deltas, as a set of the form of params.
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

// averageMoments is the mean of the units' second moments, added in index order.
func (f fold) averageMoments(from []Contribution) *tensor.Set {
	sum := from[0].V.Clone()
	for _, c := range from[1:] {
		f.add(sum, c.V)
	}
	f.scale(sum, 1/float32(len(from)))
	return sum
}

// codes is a new delta for the form of params, on the device that has params.
func (f fold) codes(params *tensor.Set, bits uint32) Delta {
	d := DeltaForm(params, bits)
	return Delta{Q: d.Q.Near(params), Scales: d.Scales.Near(params)}
}

// quantize gives the delta nearest to s.
func (f fold) quantize(s *tensor.Set, bits uint32) Delta {
	d := f.codes(s, bits)
	f.encode(s, d, bits, 0, s.Len())
	return d
}

// encode quantises the tensors lo to hi-1 of s into d.
func (f fold) encode(s *tensor.Set, d Delta, bits uint32, lo, hi int) {
	f.each(lo, hi, func(i int) kernel.Call {
		return kernel.Call{
			Op: codecOf(bits).quantize, In: []kernel.Tensor{s.At(i).Tensor},
			Out: []kernel.Tensor{d.Q.At(i).Tensor, d.Scales.At(i).Tensor},
		}
	})
}

// dequantize adds sign times the tensors lo to hi-1 of d to those of s, in place.
func (f fold) dequantize(s *tensor.Set, d Delta, lo, hi int, sign float32) {
	f.each(lo, hi, func(i int) kernel.Call { return f.added(s.At(i).Tensor, s.At(i).Tensor, d, i, sign) })
}

// added is the call that sets y to x plus sign times tensor i of d.
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

// add adds t to s, in place. Both have one form.
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

// norm is the Euclidean norm of all elements of g. Lanes sum the squares of each
// row, then the rows of each tensor; the tensors are added by ascending name.
func (f fold) norm(g *tensor.Set) float32 {
	var sum float32
	for i := range g.Len() {
		rows := results(f.dev, kernel.RowSumSquares, kernel.Attr{}, matrix(g.At(i).Tensor))[0]
		sum += scalar(results(f.dev, kernel.Sum, kernel.Attr{}, rows)[0])
	}
	return float32(math.Sqrt(float64(sum)))
}

// matrix is t as a matrix: all dimensions but the last are rows.
func matrix(t kernel.Tensor) kernel.Tensor {
	last := t.Shape[len(t.Shape)-1]
	t.Shape = []int{t.Len() / last, last}
	return t
}

// adam replaces, in place, the tensors lo to hi-1 of the gradient g by a step of
// Adam, and those of the moments m and v by the moments after it.
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

// decay adds weight decay to the tensors lo to hi-1 of the step x, in place: the rate
// times a share of the matrices of the parameters p.
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

// minus subtracts steps from params, in place. It negates steps.
func (f fold) minus(params, steps *tensor.Set) {
	f.scale(steps, -1)
	f.add(params, steps)
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

// set is a set of tensors with distinct names.
func set(items []tensor.Named) *tensor.Set {
	s, err := tensor.NewSet(items)
	if err != nil {
		panic("train: " + err.Error())
	}
	return s
}

// results computes one operation into new tensors.
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

// infer is the results of an operation, without storage.
func infer(op kernel.Op, a kernel.Attr, in ...kernel.Tensor) []kernel.Tensor {
	out, err := kernel.Infer(op, a, in)
	if err != nil {
		panic("train: " + err.Error())
	}
	return out
}
