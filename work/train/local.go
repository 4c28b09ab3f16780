package train

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// Walk is the steps that one worker takes by itself from the round's
// parameters. Its memory is of the round, never of the machine: it begins with
// no first moment, and with the second moment that all workers share.
type LocalOptimizer struct {
	fold
	cfg          Config
	at           Position
	start        *tensor.Set
	params, m, v *tensor.Set
}

// NewWalk begins a walk at params with the shared second moment v, factored;
// at is the place of its first step. It fails when v does not fit params.
func NewLocalOptimizer(dev kernel.Device, cfg Config, at Position, params, v *tensor.Set) (*LocalOptimizer, error) {
	full, err := Expand(dev, params, v)
	if err != nil {
		return nil, fmt.Errorf("walk: %w", err)
	}
	cfg.Beta1PPM = 0
	return &LocalOptimizer{fold: fold{dev}, cfg: cfg, at: at, start: params, params: params.Clone(), m: params.Zeros(), v: full}, nil
}

// Params is where the walk has come to: the parameters of the next gradient.
func (w *LocalOptimizer) Params() *tensor.Set { return w.params }

// Step takes one step against the gradient g, which it overwrites: Adam's
// with beta1 = 0.
func (w *LocalOptimizer) Step(g *tensor.Set) {
	kernel.BeginAsync(w.dev)
	defer kernel.EndAsync(w.dev)
	w.clip(w.cfg, g)
	w.adam(w.cfg, w.at, g, w.m, w.v, 0, g.Len())
	w.decay(w.cfg, w.at, w.params, g, 0, g.Len())
	w.minus(w.params, g)
	w.at.Step++
}

// Finish gives the walk's contribution to its round: the way back from where
// it came to, and its second moment.
func (w *LocalOptimizer) Finish() Contribution {
	back := w.start.Clone()
	w.minus(back, w.params)
	return Contribution{Delta: Quantize(w.dev, back, w.cfg.DeltaBits), V: Factor(w.dev, w.v)}
}
