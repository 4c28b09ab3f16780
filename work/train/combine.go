package train

import (
	"fmt"
	"math"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// State is all a run carries from round to round: the parameters and Adam's
// first and second moments, three sets of the same names and shapes.
type State struct {
	Params, M, V *tensor.Set
}

// Start is the state a run begins from: params, and moments of +0.
func Start(params *tensor.Set) State {
	return State{Params: params, M: params.Zeros(), V: params.Zeros()}
}

// Delta is a set quantised to 8 bits: integers of the set's names and shapes,
// and for each 1024 elements of a tensor one scale.
type Delta struct {
	Q, Scales *tensor.Set
}

// Quantize gives the delta nearest to s: [kernel.Quantize] of each tensor.
func Quantize(dev kernel.Device, s *tensor.Set) Delta {
	q, scales := make([]tensor.Named, s.Len()), make([]tensor.Named, s.Len())
	for i := range s.Len() {
		t := s.At(i)
		out := results(dev, kernel.Quantize, kernel.Attr{}, t.Tensor)
		q[i] = tensor.Named{Name: t.Name, Tensor: out[0]}
		scales[i] = tensor.Named{Name: t.Name, Tensor: out[1]}
	}
	return Delta{Q: set(q), Scales: set(scales)}
}

// Combine folds a round's deltas into the next state, and gives the
// quantised step: next parameters = parameters - step, as [Advance] has it.
// The gradient is the mean of the deltas in index order; the step is Adam's
// (Kingma and Ba 2015), at the rate of round r, counted from 0.
func Combine(dev kernel.Device, cfg Config, s State, deltas []Delta, r int) (State, Delta, error) {
	if len(deltas) == 0 {
		return State{}, Delta{}, fmt.Errorf("combine round %d: no deltas", r)
	}
	for k, d := range deltas {
		if err := d.fits(s.Params); err != nil {
			return State{}, Delta{}, fmt.Errorf("combine round %d, delta %d: %w", r, k, err)
		}
	}
	hyper := kernel.Tensor{Type: kernel.F32, Shape: []int{3}, F: cfg.hyper(r)}
	adam := kernel.Attr{Beta1: fraction(cfg.Beta1PPM), Beta2: fraction(cfg.Beta2PPM), Eps: 1e-9}
	mean := kernel.Attr{Scale: 1 / float32(len(deltas))}
	n := s.Params.Len()
	m, v, steps := make([]tensor.Named, n), make([]tensor.Named, n), make([]tensor.Named, n)
	for i := range n {
		p := s.Params.At(i)
		g := tensor.Zeros(kernel.F32, p.Shape...)
		for _, d := range deltas {
			add(dev, g, d, i, +1)
		}
		dev.Do(&kernel.Call{Op: kernel.Scale, Attr: mean, In: []kernel.Tensor{g}, Out: []kernel.Tensor{g}})
		out := results(dev, kernel.Adam, adam, g, s.M.At(i).Tensor, s.V.At(i).Tensor, hyper)
		steps[i] = tensor.Named{Name: p.Name, Tensor: out[0]}
		m[i] = tensor.Named{Name: p.Name, Tensor: out[1]}
		v[i] = tensor.Named{Name: p.Name, Tensor: out[2]}
	}
	step := Quantize(dev, set(steps))
	params, err := Advance(dev, s.Params, step)
	return State{Params: params, M: set(m), V: set(v)}, step, err
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
		Op: kernel.AddQuantized, Attr: kernel.Attr{Scale: sign},
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

// QuantizeCost is the canonical cost, in FLOP, of [Quantize].
func QuantizeCost(s *tensor.Set) uint64 {
	var sum uint64
	for i := range s.Len() {
		sum += cost(kernel.Quantize, kernel.Attr{}, s.At(i).Tensor)
	}
	return sum
}

// CombineCost is the canonical cost, in FLOP, of [Combine] with n deltas.
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
	for i := range s.Len() {
		t, q, sc := s.At(i), d.Q.At(i), d.Scales.At(i)
		n := len(t.F)
		if q.Name != t.Name || sc.Name != t.Name || len(q.B) != n || len(sc.F) != (n+1023)/1024 {
			return fmt.Errorf("tensor %s: %d values named %s and %d scales named %s, want %d values", t.Name, len(q.B), q.Name, len(sc.F), sc.Name, n)
		}
	}
	return nil
}

// hyper is Adam's numbers for round r, counted from 0: the rate, and the
// corrections 1/(1-beta^t) with t = r+1.
func (c Config) hyper(r int) []float32 {
	t := r + 1
	rate := float64(c.RatePPM) / 1e6
	if t < int(c.WarmUp) {
		rate = rate * float64(t) / float64(c.WarmUp)
	} else {
		rate = rate * math.Sqrt(float64(c.WarmUp)/float64(t))
	}
	return []float32{float32(rate), correction(c.Beta1PPM, t), correction(c.Beta2PPM, t)}
}

// correction is 1/(1-beta^t), the power by repeated squaring: float64
// products round alike everywhere, package math's Pow does not.
func correction(ppm uint32, t int) float32 {
	power, square := 1.0, float64(ppm)/1e6
	for ; t > 0; t >>= 1 {
		if t&1 == 1 {
			power = float64(power * square)
		}
		square = float64(square * square)
	}
	return float32(1 / (1 - power))
}
