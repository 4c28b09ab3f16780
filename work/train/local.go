package train

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// LocalOptimizer takes the local steps of one unit, from the round's parameters.
// What it begins with is part of the round, and no memory of a machine: a first
// moment of zero, and the second moment of the round's state.
type LocalOptimizer struct {
	fold
	cfg          Config
	at           Position
	start        *tensor.Set
	params, m, v *tensor.Set
}

// NewLocalOptimizer begins at params, with the second moment v, which is factored,
// and at the position of the first step. It fails when v does not fit params.
func NewLocalOptimizer(dev kernel.Device, cfg Config, at Position, params, v *tensor.Set) (*LocalOptimizer, error) {
	full, err := Expand(dev, params, v)
	if err != nil {
		return nil, fmt.Errorf("local steps: %w", err)
	}
	cfg.Beta1PPM = 0
	return &LocalOptimizer{fold: fold{dev}, cfg: cfg, at: at, start: params, params: params.Clone(), m: params.Zeros(), v: full}, nil
}

// Params are the parameters after the steps so far: those of the next gradient.
func (o *LocalOptimizer) Params() *tensor.Set { return o.params }

// Step takes one step of Adam with beta1 = 0, by the gradient g. It overwrites g.
func (o *LocalOptimizer) Step(g *tensor.Set) {
	kernel.BeginAsync(o.dev)
	defer kernel.EndAsync(o.dev)
	o.clip(o.cfg, g)
	o.adam(o.cfg, o.at, g, o.m, o.v, 0, g.Len())
	o.decay(o.cfg, o.at, o.params, g, 0, g.Len())
	o.minus(o.params, g)
	o.at.Step++
}

// Finish gives the unit's contribution to its round: the round's parameters minus
// those after the steps, and the second moment.
func (o *LocalOptimizer) Finish() Contribution {
	distance := o.start.Clone()
	o.minus(distance, o.params)
	return Contribution{Delta: Quantize(o.dev, distance, o.cfg.DeltaBits), V: Factor(o.dev, o.v)}
}
