package work

import (
	"context"
	"fmt"
	"math"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// The kinds that read batches: Gradient, LocalSteps and Evaluate.

// lossInputs is what such a unit computes from.
type lossInputs struct {
	unit    unit.Unit
	record  run.Record
	params  *tensor.Set // what the run trains: parameters, or adapters
	base    *tensor.Set // parameters of the model that has the adapters; nil without adapters
	v       *tensor.Set // second moment, factored; nil unless the unit takes local steps
	batches []nmt.Batch
}

// whole is the parameters that the model computes with, at the parameters or adapters p. With
// adapters they are valid until the next call.
func (w *Worker) whole(in lossInputs, p *tensor.Set) *tensor.Set {
	if in.base == nil {
		return p
	}
	if base := any(in.record.BaseParams()); w.merged.key != base {
		w.merged = kept[*tensor.Set]{key: base}
	}
	w.merged.value = train.Merge(w.dev, in.base, p, w.merged.value)
	return w.merged.value
}

// lossInputs reads the inputs of u: the run's record, parameters or adapters, second moment
// and batches.
func (w *Worker) lossInputs(ctx context.Context, b block.Blocks, u unit.Unit) (lossInputs, error) {
	record, err := run.Read(ctx, b, u.Work)
	if err != nil {
		return lossInputs{}, err
	}
	in := lossInputs{unit: u, record: record}
	if record.Config.LoRA > 0 {
		if in.base, err = w.set(ctx, b, record.BaseParams(), record.Model()); err != nil {
			return lossInputs{}, err
		}
	}
	if in.params, err = w.params(ctx, b, u, record.Trained()); err != nil {
		return lossInputs{}, err
	}
	batches := u.Inputs[1:]
	if u.Kind == unit.LocalSteps {
		if in.v, err = w.moment(ctx, b, u.Inputs[1], record, in.params, int(u.Round)); err != nil {
			return lossInputs{}, err
		}
		batches = u.Inputs[2:]
	}
	for _, l := range batches {
		batch, err := run.ReadBatch(ctx, b, l, record)
		if err != nil {
			return lossInputs{}, err
		}
		in.batches = append(in.batches, batch)
	}
	return in, nil
}

// key gives the dropout masks of batch i and those after it: a function of the
// run's seed and of the number of the batch in the run.
func (in lossInputs) key(i int) nmt.DropoutKey {
	first := in.record.Config.Batch(int(in.unit.Round), int(in.unit.Index))
	return nmt.DropoutKey{Seed: in.record.Config.Seed, Step: uint32(first + i)}
}

// gradientAt computes the gradient of batches i and those after it, at the parameters or
// adapters p.
func (w *Worker) gradientAt(in lossInputs, p *tensor.Set, batches []nmt.Batch, i int) (nmt.Gradient, error) {
	g, err := w.engine(in.record.Model()).Gradient(w.whole(in, p), batches, in.key(i))
	if err != nil || in.base == nil {
		return g, err
	}
	g.Grads = train.Project(w.dev, g.Grads, p)
	g.Cost += train.MergeCost(p) + train.ProjectCost(p)
	if !g.Grads.Finite() { // though the gradient of the parameters is
		return g, fmt.Errorf("%w: the gradient of the adapters", nmt.ErrNonFinite)
	}
	return g, nil
}

// gradient computes a [unit.Gradient] unit.
func (w *Worker) gradient(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	in, err := w.lossInputs(ctx, b, u)
	if err != nil {
		return unit.Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return unit.Result{}, err
	}
	g, err := w.gradientAt(in, in.params, in.batches, 0)
	if err != nil {
		return unit.Result{}, err
	}
	r := sums(g.LossSums)
	r.Cost += train.QuantizeCost(in.params)
	delta, err := run.PutDelta(ctx, b, train.Quantize(w.dev, g.Grads, in.record.Config.DeltaBits))
	r.Outputs = []block.Link{delta}
	return r, err
}

// localSteps computes a [unit.LocalSteps] unit.
func (w *Worker) localSteps(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	in, err := w.lossInputs(ctx, b, u)
	if err != nil {
		return unit.Result{}, err
	}
	var sum nmt.LossSums
	steps := 0
	given, err := w.takeSteps(in, func(i int, params *tensor.Set, batches []nmt.Batch) (*tensor.Set, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		steps++
		g, err := w.gradientAt(in, params, batches, i)
		sum.Loss, sum.NLL = sum.Loss+g.Loss, sum.NLL+g.NLL
		sum.Tokens, sum.Cost = sum.Tokens+g.Tokens, sum.Cost+g.Cost
		w.progress(i+len(batches), len(in.batches))
		return g.Grads, err
	})
	if err != nil {
		return unit.Result{}, err
	}
	// Each gradient was finite, but not necessarily the steps taken with them or the sums.
	if !given.V.Finite() || !given.Scales.Finite() || !tensor.AllFinite([]float32{sum.Loss, sum.NLL}) {
		return unit.Result{}, fmt.Errorf("%w: after %d steps", nmt.ErrNonFinite, steps)
	}
	delta, err := run.PutDelta(ctx, b, given.Delta)
	if err != nil {
		return unit.Result{}, err
	}
	v, err := state.PutSet(ctx, b, given.V)
	r := sums(sum)
	r.Cost += train.LocalStepsCost(in.params, steps)
	r.Outputs = []block.Link{delta, v}
	return r, err
}

// takeSteps takes the local steps of a unit. The function gives the gradient of
// a step: of batches i and those after it, at params.
func (w *Worker) takeSteps(in lossInputs, gradient func(i int, params *tensor.Set, batches []nmt.Batch) (*tensor.Set, error)) (train.Contribution, error) {
	c := in.record.Config
	first := c.Position(int(in.unit.Round), int(in.record.Steps))
	optimizer, err := train.NewLocalOptimizer(w.dev, c, first, in.params, in.v)
	if err != nil {
		return train.Contribution{}, err
	}
	for i := 0; i < len(in.batches); i += int(c.Accumulate) {
		g, err := gradient(i, optimizer.Params(), in.batches[i:min(i+int(c.Accumulate), len(in.batches))])
		if err != nil {
			return train.Contribution{}, fmt.Errorf("step %d: %w", i/int(c.Accumulate), err)
		}
		optimizer.Step(g)
	}
	return optimizer.Finish(), nil
}

// evaluate computes a [unit.Evaluate] unit.
func (w *Worker) evaluate(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	in, err := w.lossInputs(ctx, b, u)
	if err != nil {
		return unit.Result{}, err
	}
	params := w.whole(in, in.params)
	s, err := w.engine(in.record.Model()).Loss(params, in.batches[0])
	if in.base == nil || err != nil {
		return sums(s), err
	}
	s.Cost += train.MergeCost(in.params)
	// The units that translate after the same round name the merged parameters.
	if l := any(state.SumSet(params)); !holds(w.sets, l) {
		w.sets, w.merged.value = remember(w.sets, l, params), nil
	}
	return sums(s), nil
}

// sums is a result with the sums of a loss.
func sums(s nmt.LossSums) unit.Result {
	return unit.Result{Loss: math.Float32bits(s.Loss), NLL: math.Float32bits(s.NLL), Tokens: uint32(s.Tokens), Cost: s.Cost}
}
