package train

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// ModelState is the state that a run keeps between rounds: the parameters and
// two sets of moments. The moments depend on the units of the next round. For
// gradients they are Adam's first and second moment, with the parameters' names and
// shapes. For local steps, M is the outer momentum, and V the second moment that
// each unit begins with, factored: see [Factor].
type ModelState struct {
	Params, M, V *tensor.Set
}

// Start is the state that a run begins with: params, and moments of +0.
func Start(cfg Config, params *tensor.Set) ModelState {
	s := ModelState{Params: params, M: params.Zeros(), V: params.Zeros()}
	if cfg.Local(0) {
		s.V = FactorsForm(params).Zeros()
	}
	return s
}

// Contribution is the output of one unit of a round: its gradient, or for local steps
// the distance that it went from the round's parameters, and its second moment.
type Contribution struct {
	Delta
	V *tensor.Set // factored; nil for a gradient
}

// ContributionError says which contribution [Combine] refused.
type ContributionError struct {
	Index  int
	Moment bool // for its second moment, not its delta
	Err    error
}

func (e *ContributionError) Error() string {
	part := "delta"
	if e.Moment {
		part = "second moment"
	}
	return fmt.Sprintf("%s %d: %v", part, e.Index, e.Err)
}

// Unwrap gives the detail.
func (e *ContributionError) Unwrap() error { return e.Err }

// Combine makes the next state of s and of the contributions of round r, counted
// from 0, in index order. It writes to the sets of s, and returns the quantised
// update: next parameters = parameters - update, as in [Advance]. The position at
// is that of the round's first step. On an error s is as it was.
//
// Deltas are averaged. With the average A of gradients, the update is a step of Adam
// (Kingma and Ba 2015). With the average A of local steps, it is an outer step with
// Nesterov momentum (DiLoCo): M' = mu*M + A, and the update is eta*(A + mu*M').
func Combine(dev kernel.Device, cfg Config, at Position, s *ModelState, from []Contribution, r int) (Delta, error) {
	if len(from) == 0 {
		return Delta{}, fmt.Errorf("combine round %d: no deltas", r)
	}
	local := cfg.Local(r)
	// Everything is checked before anything is written.
	for k, c := range from {
		refused := func(moment bool, err error) (Delta, error) {
			return Delta{}, fmt.Errorf("combine round %d: %w", r, &ContributionError{Index: k, Moment: moment, Err: err})
		}
		if got := c.codec().bits; got != cfg.DeltaBits {
			return refused(false, fmt.Errorf("%d bits, want %d", got, cfg.DeltaBits))
		}
		if err := c.fits(s.Params); err != nil {
			return refused(false, err)
		}
		if local {
			if err := sameForm(s.V, c.V); err != nil {
				return refused(true, err)
			}
		}
	}
	f := fold{dev}
	kernel.BeginAsync(dev)
	defer kernel.EndAsync(dev)
	if local {
		return f.outerStep(cfg, s, from), nil
	}
	step := f.adamStep(cfg, at, s, from)
	if cfg.Local(r + 1) { // the lead is over: from Adam's moments to those of local steps
		s.M, s.V = s.Params.Zeros(), Factor(dev, s.V)
	}
	return step, nil
}

// outerStep combines the contributions of units that took local steps.
func (f fold) outerStep(cfg Config, s *ModelState, from []Contribution) Delta {
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

// adamStep combines gradients. It takes one batch of tensors after the other
// through all operations, so that most of them stay in the cache.
func (f fold) adamStep(cfg Config, at Position, s *ModelState, from []Contribution) Delta {
	var mean *tensor.Set // of all gradients, where its norm is needed first
	if cfg.ClipPPM > 0 {
		mean = f.average(s.Params, from)
		f.clip(cfg, mean)
	}
	step := f.codes(s.Params, cfg.UpdateBits)
	// Without clipping, the mean of one batch at a time is enough.
	var buffer, zeros kernel.Tensor
	for lo, hi := 0, 0; lo < s.Params.Len(); lo = hi {
		var elements int
		if hi, elements = batch(s.Params, lo); len(buffer.F) < elements {
			first := s.Params.At(0)
			buffer, zeros = first.Near(elements), first.Near(elements)
		}
		g := mean
		if g == nil {
			g = within(buffer, s.Params, lo, hi)
			f.mean(g, zeros, from, lo, hi)
		}
		f.adam(cfg, at, g, s.M, s.V, lo, hi)
		f.decay(cfg, at, s.Params, g, lo, hi)
		f.encode(g, step, cfg.UpdateBits, lo, hi)
		f.dequantize(s.Params, step, lo, hi, -1)
	}
	return step
}

// batchElements is the least elements of a batch of tensors, unless it is the last.
// They are enough to share among threads, and with moments and codes they fit a
// cache.
const batchElements = 1 << 17

// batch gives the end of the batch of tensors that begins with tensor lo of s, and
// the number of its elements.
func batch(s *tensor.Set, lo int) (hi, elements int) {
	for hi = lo; hi < s.Len() && elements < batchElements; hi++ {
		t := s.At(hi).Tensor
		elements += t.Len()
	}
	return hi, elements
}

// within is a set of the form of s whose tensors lo to hi-1 lie in buffer. The
// others have no storage.
func within(buffer kernel.Tensor, s *tensor.Set, lo, hi int) *tensor.Set {
	items, at := make([]tensor.Named, s.Len()), 0
	for i := range items {
		t := s.At(i)
		items[i] = tensor.Named{Name: t.Name, Tensor: kernel.Tensor{Type: kernel.F32, Shape: t.Shape}}
		if lo <= i && i < hi {
			items[i].Tensor = buffer.Part(at, at+t.Len(), t.Shape...)
			at += t.Len()
		}
	}
	return set(items)
}

// Mean is the average of sets of one form, added in sequence: for a model of several
// validated sets of parameters.
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

// Advance gives the next parameters from the last ones and a round's update.
func Advance(dev kernel.Device, params *tensor.Set, update Delta) (*tensor.Set, error) {
	if err := update.fits(params); err != nil {
		return nil, fmt.Errorf("advance: %w", err)
	}
	next := params.Clone()
	fold{dev}.dequantize(next, update, 0, next.Len(), -1)
	return next, nil
}
