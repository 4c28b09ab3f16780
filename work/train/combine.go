package train

import (
	"errors"
	"fmt"

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
		s.V = FactorsForm(params).Zeros()
	}
	return s
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
	kernel.BeginAsync(dev)
	defer kernel.EndAsync(dev)
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

// Advance gives the next parameters from the last and the round's step.
func Advance(dev kernel.Device, params *tensor.Set, step Delta) (*tensor.Set, error) {
	if err := step.fits(params); err != nil {
		return nil, fmt.Errorf("advance: %w", err)
	}
	next := params.Clone()
	fold{dev}.dequantize(next, step, 0, next.Len(), -1)
	return next, nil
}
